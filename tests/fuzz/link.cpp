// SPDX-License-Identifier: GPL-2.0-only
#include "link.hpp"

#include "hostile.hpp"

#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace fuzz {

namespace {

constexpr char device[] = "fuzz0";
constexpr uid_t nobody = 65534;

void require(bool ok, const std::string &what)
{
    if (!ok)
        throw std::runtime_error(what + ": " + strerror(errno));
}

void write_file(const std::string &path, const std::string &text)
{
    std::ofstream file(path);
    require(static_cast<bool>(file << text << std::flush), path);
}

void run(const std::string &command) { require(std::system(command.c_str()) == 0, command); }

void become_nobody()
{
    require(setgroups(0, nullptr) == 0 && setgid(nobody) == 0 && setuid(nobody) == 0, "nobody");
    require(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0, "unshare");
    // or it could not write what follows
    require(prctl(PR_SET_DUMPABLE, 1) == 0, "PR_SET_DUMPABLE");
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", "0 " + std::to_string(nobody) + " 1");
    write_file("/proc/self/gid_map", "0 " + std::to_string(nobody) + " 1");
}

void set_up_link(bool up, int mtu)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq ifr{};
    std::memcpy(ifr.ifr_name, device, sizeof(device));
    ifr.ifr_mtu = mtu;
    ioctl(fd, SIOCSIFMTU, &ifr);
    ifr.ifr_flags = static_cast<short>(up ? IFF_UP | IFF_BROADCAST | IFF_NOARP : IFF_NOARP);
    ioctl(fd, SIOCSIFFLAGS, &ifr);
    close(fd);
}

} // namespace

void enter_playground()
{
    become_nobody();
    // addresses stay while the device is down
    write_file("/proc/sys/net/ipv6/conf/all/keep_addr_on_down", "1");
    write_file("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
    const std::string name = device;
    run("ip link set lo up && ip link add " + name + " type dummy && ip link set " + name +
        " up && ip addr add 10.9.0.1/16 broadcast 10.9.255.255 dev " + name +
        " && ip addr add fd00:9::1/64 dev " + name + " nodad && tc qdisc add dev " + name +
        " root fq");
    // Ports 20000 and 20001 of loopback have somebody; the others answer by ICMP.
    for (uint64_t port : {0, 1, 14, 15}) {
        const auto addr = address(port);
        const auto *sa = reinterpret_cast<const sockaddr *>(addr.data());
        const int fd = socket(sa->sa_family, SOCK_DGRAM, 0);
        const int small = 4096;
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        require(bind(fd, sa, static_cast<socklen_t>(addr.size())) == 0, "bind");
    }
}

void change_link(uint64_t how)
{
    constexpr int sizes[] = {1500, 1280, 9000, 65535, 4000};
    set_up_link(how % 4 != 1, sizes[how / 4 % std::size(sizes)]);
}

void reset_link() { set_up_link(true, 1500); }

} // namespace fuzz
