// SPDX-License-Identifier: GPL-2.0-only
// What the selftests share: namespaces, sockets, groups and counters.
#pragma once

#include "../patience.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <linux/udp_group.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

// Beside its type, where lookup by argument finds it.
inline bool operator==(const sockaddr_in &a, const sockaddr_in &b)
{
    return a.sin_family == b.sin_family && a.sin_port == b.sin_port &&
           a.sin_addr.s_addr == b.sin_addr.s_addr;
}

namespace selftest {

using namespace patience_of_tests;

// A system call's outcome as one number to compare: 0 or more, or -errno.
template <typename T> long result(T ret) { return ret < 0 ? -errno : static_cast<long>(ret); }

// Runs a command line; the test is over if it fails.
inline void run(const std::string &command)
{
    int status = std::system(command.c_str());
    if (status != 0)
        throw std::runtime_error(command + ": status " + std::to_string(status));
}

class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd &operator=(Fd &&other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() { reset(); }
    void reset()
    {
        if (fd_ >= 0)
            close(std::exchange(fd_, -1));
    }
    int get() const { return fd_; }

private:
    int fd_ = -1;
};

inline sockaddr_in address(std::string_view ip, uint16_t port)
{
    sockaddr_in sin{};
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    if (inet_pton(AF_INET, std::string(ip).c_str(), &sin.sin_addr) != 1)
        throw std::invalid_argument(std::string(ip));
    return sin;
}

// A network namespace of the test's own, in which the calling thread is.
class NetNs {
public:
    NetNs() : before_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC))
    {
        if (unshare(CLONE_NEWNET) < 0)
            throw std::runtime_error("unshare(CLONE_NEWNET)");
        self_ = Fd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        // IPv6 says things of its own on every new device; these count them
        std::ofstream("/proc/sys/net/ipv6/conf/default/disable_ipv6") << 1;
        run("ip link set lo up");
    }
    ~NetNs() { leave(); }
    void enter() const
    {
        if (setns(self_.get(), CLONE_NEWNET) < 0)
            throw std::runtime_error("setns");
    }
    void leave() const { setns(before_.get(), CLONE_NEWNET); }
    int fd() const { return self_.get(); }

private:
    Fd before_, self_;
};

// The thread's namespace gets IPv6, with addresses that can be used at once.
inline void enable_ip6()
{
    for (const char *what : {"all", "default", "lo"})
        std::ofstream(std::string("/proc/sys/net/ipv6/conf/") + what + "/disable_ipv6") << 0;
    std::ofstream("/proc/sys/net/ipv6/conf/default/accept_dad") << 0;
    run("ip link set lo down; ip link set lo up");
}

// Length of an address, as its family says.
template <typename Address> socklen_t address_length(const Address &a)
{
    return reinterpret_cast<const sockaddr &>(a).sa_family == AF_INET ? sizeof(sockaddr_in)
                                                                      : sizeof(sockaddr_in6);
}

// A socket at an address, which has a port of its own if that is 0.
template <typename Address> class ReceiverAt {
public:
    explicit ReceiverAt(const Address &at) : addr_(at)
    {
        auto sa = reinterpret_cast<sockaddr *>(&addr_);
        socklen_t len = address_length(addr_);
        fd_ = Fd(socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        if (bind(fd_.get(), sa, len) < 0 || getsockname(fd_.get(), sa, &len) < 0)
            throw std::runtime_error(std::string("receiver: ") + strerror(errno));
        set_patience(fd_.get());
    }
    int fd() const { return fd_.get(); }
    const Address &address() const { return addr_; }
    // The next datagram; waits for it.
    std::optional<std::string> next(int flags = 0) const
    {
        std::string buf(65536, '\0');
        ssize_t n = recv(fd_.get(), buf.data(), buf.size(), flags);
        if (n < 0)
            return std::nullopt;
        buf.resize(static_cast<size_t>(n));
        return buf;
    }
    bool empty() const { return !next(MSG_DONTWAIT); }
    void close() { fd_.reset(); }

private:
    Fd fd_;
    Address addr_;
};

class Receiver : public ReceiverAt<sockaddr_in> {
public:
    explicit Receiver(std::string_view ip = "127.0.0.1", uint16_t port = 0)
        : ReceiverAt(selftest::address(ip, port))
    {}
};

inline std::vector<sockaddr_in> addresses(std::span<const Receiver> receivers)
{
    std::vector<sockaddr_in> addrs;
    for (const auto &r : receivers)
        addrs.push_back(r.address());
    return addrs;
}

// n members that nobody needs to be at: distinct addresses behind a prefix.
inline std::vector<sockaddr_in> many(uint32_t first, size_t n)
{
    std::vector<sockaddr_in> addrs(n);
    for (size_t i = 0; i < n; i++) {
        addrs[i].sin_family = AF_INET;
        addrs[i].sin_port = htons(9);
        addrs[i].sin_addr.s_addr = htonl(first + static_cast<uint32_t>(i));
    }
    return addrs;
}

struct Statistics {
    udp_grpstat totals;
    std::vector<udp_grpstat_member> members;
};

class Sender {
public:
    explicit Sender(int domain = AF_INET, int type = SOCK_DGRAM, int protocol = 0)
        : fd_(socket(domain, type | SOCK_CLOEXEC, protocol))
    {
        if (fd_.get() < 0)
            throw std::runtime_error("socket");
    }
    int fd() const { return fd_.get(); }
    void close() { fd_.reset(); }
    long set(std::span<const sockaddr_in> addrs) const
    {
        return set_raw(addrs.data(), addrs.size_bytes());
    }
    long set_raw(const void *addrs, size_t len) const
    {
        return result(setsockopt(fd(), SOL_SOCKET, SO_SETGRP, addrs, static_cast<socklen_t>(len)));
    }
    // SO_ADDGRP and SO_DELGRP.
    long join(std::span<const sockaddr_in> addrs) const
    {
        return change(SO_ADDGRP, addrs.data(), addrs.size_bytes());
    }
    long leave(std::span<const sockaddr_in> addrs) const
    {
        return change(SO_DELGRP, addrs.data(), addrs.size_bytes());
    }
    long change(int option, const void *addrs, size_t len) const
    {
        return result(setsockopt(fd(), SOL_SOCKET, option, addrs, static_cast<socklen_t>(len)));
    }
    long set_flags(uint32_t flags) const
    {
        return result(setsockopt(fd(), SOL_SOCKET, SO_GRPFLAGS, &flags, sizeof(flags)));
    }
    uint32_t flags() const
    {
        uint32_t flags = ~0U;
        socklen_t len = sizeof(flags);
        if (getsockopt(fd(), SOL_SOCKET, SO_GRPFLAGS, &flags, &len) < 0)
            throw std::runtime_error("SO_GRPFLAGS");
        return flags;
    }
    std::vector<sockaddr_in> members() const
    {
        socklen_t len = 0;
        if (getsockopt(fd(), SOL_SOCKET, SO_SETGRP, nullptr, &len) < 0 && errno != ERANGE)
            throw std::runtime_error("SO_SETGRP get");
        std::vector<sockaddr_in> addrs(len / sizeof(sockaddr_in));
        if (getsockopt(fd(), SOL_SOCKET, SO_SETGRP, addrs.data(), &len) < 0)
            throw std::runtime_error("SO_SETGRP get");
        return addrs;
    }
    Statistics stat() const
    {
        udp_grpstat head{};
        head.size = sizeof(head);
        socklen_t len = sizeof(head);
        if (getsockopt(fd(), SOL_SOCKET, SO_GRPSTAT, &head, &len) < 0)
            throw std::runtime_error("SO_GRPSTAT");
        std::vector<char> buf(sizeof(head) + head.members * sizeof(udp_grpstat_member));
        head = {};
        head.size = sizeof(head);
        head.member_size = sizeof(udp_grpstat_member);
        memcpy(buf.data(), &head, sizeof(head));
        len = static_cast<socklen_t>(buf.size());
        if (getsockopt(fd(), SOL_SOCKET, SO_GRPSTAT, buf.data(), &len) < 0)
            throw std::runtime_error("SO_GRPSTAT");
        Statistics stat;
        memcpy(&stat.totals, buf.data(), sizeof(stat.totals));
        stat.members.resize(stat.totals.records);
        memcpy(stat.members.data(), buf.data() + sizeof(stat.totals),
               stat.members.size() * sizeof(udp_grpstat_member));
        return stat;
    }
    long send(std::string_view data, int flags = 0) const
    {
        return result(::send(fd(), data.data(), data.size(), flags));
    }
    long send_to(std::string_view data, const sockaddr_in &dest, int flags = 0) const
    {
        return result(::sendto(fd(), data.data(), data.size(), flags,
                               reinterpret_cast<const sockaddr *>(&dest), sizeof(dest)));
    }
    long option(int level, int name, int value) const
    {
        return result(setsockopt(fd(), level, name, &value, sizeof(value)));
    }
    int error() const
    {
        int err = 0;
        socklen_t len = sizeof(err);
        getsockopt(fd(), SOL_SOCKET, SO_ERROR, &err, &len);
        return err;
    }

private:
    Fd fd_;
};

// The group before and after what was refused: same members, same version.
class Unchanged {
public:
    explicit Unchanged(const Sender &s)
        : sender_(s), members_(s.members()), generation_(s.stat().totals.generation)
    {}
    ~Unchanged()
    {
        EXPECT_EQ(sender_.members(), members_);
        EXPECT_EQ(sender_.stat().totals.generation, generation_);
    }
    Unchanged(const Unchanged &) = delete;
    Unchanged &operator=(const Unchanged &) = delete;

private:
    const Sender &sender_;
    std::vector<sockaddr_in> members_;
    uint64_t generation_;
};

struct QueuedError {
    sock_extended_err err;
    sockaddr_in who;
};

// The next entry of the error queue, for which it waits so many milliseconds.
inline std::optional<QueuedError> queued_error(int fd, int milliseconds = 0)
{
    pollfd p{.fd = fd, .events = 0, .revents = 0};
    if (poll(&p, 1, milliseconds) != 1)
        return std::nullopt;
    QueuedError e{};
    alignas(cmsghdr) char control[1024];
    char data[256];
    iovec iov{data, sizeof(data)};
    msghdr msg{};
    msg.msg_name = &e.who;
    msg.msg_namelen = sizeof(e.who);
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control;
    msg.msg_controllen = sizeof(control);
    if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return std::nullopt;
    for (cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
        if ((c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) ||
            (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR))
            memcpy(&e.err, CMSG_DATA(c), sizeof(e.err));
    return e;
}

// A line of /proc/net/snmp, by the names of its columns.
inline std::vector<std::pair<std::string, long>> snmp(std::string_view protocol)
{
    std::ifstream in("/proc/thread-self/net/snmp");
    std::string names, values, name;
    long value = 0;
    std::vector<std::pair<std::string, long>> row;
    while (std::getline(in, names) && std::getline(in, values)) {
        if (names.rfind(std::string(protocol) + ":", 0) != 0)
            continue;
        std::istringstream n(names), v(values);
        n >> name;
        v >> name;
        while (n >> name && v >> value)
            row.emplace_back(name, value);
    }
    return row;
}

// ICMP errors that have come back to this namespace.
inline long unreachables()
{
    for (const auto &[column, value] : snmp("Icmp"))
        if (column == "InDestUnreachs")
            return value;
    return -1;
}

// An offload of a device, by its ETHTOOL_S* number.
inline void set_offload(const std::string &device, uint32_t what, bool on)
{
    Fd fd(socket(AF_INET, SOCK_DGRAM, 0));
    ethtool_value value{.cmd = what, .data = on};
    ifreq ifr{};
    device.copy(ifr.ifr_name, IFNAMSIZ - 1);
    ifr.ifr_data = reinterpret_cast<char *>(&value);
    if (ioctl(fd.get(), SIOCETHTOOL, &ifr) < 0)
        throw std::runtime_error(device + ": " + strerror(errno));
}

// The test's own namespace around each test.
class InNamespace : public testing::Test {
protected:
    NetNs ns;
};

} // namespace selftest
