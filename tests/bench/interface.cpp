// SPDX-License-Identifier: GPL-2.0-only
// What else there is to know of a group, in rows of JSON:
//
//   interface families DEVICE BYTES MEMBERS...   a member by IPv4, IPv6, both
//   interface churn MEMBERS...                   one that joins and leaves
//   interface skip MEMBERS...                    an address that is left out
//   interface memory CGROUP MEMBERS SOCKETS      kernel memory of a member,
//                                                and of a connected socket
//
// Under QEMU's -icount shift=0 the clock counts instructions. The addresses are
// behind a gateway of DEVICE: 10.128.0.0/9 and fd00:1::/32. CGROUP is a memory
// cgroup that this process is in alone.

#include "device.hpp"
#include "figures.hpp"
#include "members.hpp"

#include <linux/udp_group.h>
#include <netinet/udp.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace {

using ways::check;

// Addresses one after another, as the options take them.
using Packed = std::vector<char>;

template <typename T> void add(Packed &packed, const T &address)
{
    auto bytes = reinterpret_cast<const char *>(&address);
    packed.insert(packed.end(), bytes, bytes + sizeof(address));
}

sockaddr_in ip4(size_t i) { return addresses("10.128.0.1", i, 1)[0]; }

sockaddr_in6 ip6(size_t i)
{
    sockaddr_in6 sin6{};
    sin6.sin6_family = AF_INET6;
    sin6.sin6_port = htons(9);
    inet_pton(AF_INET6, "fd00:1::", &sin6.sin6_addr);
    const uint32_t last = htonl(static_cast<uint32_t>(i + 1));
    memcpy(&sin6.sin6_addr.s6_addr[12], &last, sizeof(last));
    return sin6;
}

// Of "ip4", "ip6" and "mixed", which is every other one.
Packed members(std::string_view family, size_t n)
{
    Packed packed;
    for (size_t i = 0; i < n; i++) {
        if (family == "ip4" || (family == "mixed" && i % 2))
            add(packed, ip4(i));
        else
            add(packed, ip6(i));
    }
    return packed;
}

class Socket {
public:
    explicit Socket(int family) : fd_(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    {
        check(fd_ >= 0, "socket");
    }
    Socket(Socket &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    ~Socket()
    {
        if (fd_ >= 0)
            close(fd_);
    }
    int fd() const { return fd_; }
    void option(int name, const void *value, size_t len, const char *what) const
    {
        check(!setsockopt(fd_, SOL_SOCKET, name, value, static_cast<socklen_t>(len)), what);
    }
    void change(int name, const Packed &addrs) const
    {
        option(name, addrs.data(), addrs.size(), "SO_*GRP");
    }

private:
    int fd_;
};

template <typename F> double median_of(size_t rounds, F &&one)
{
    std::vector<double> took;
    for (size_t i = 0; i < rounds; i++) {
        const uint64_t start = now();
        one();
        took.push_back(static_cast<double>(now() - start));
    }
    return median(std::move(took));
}

void families(const Device &device, size_t bytes, size_t n)
{
    const std::vector<char> data(bytes, 'x');
    for (std::string_view family : {"ip4", "ip6", "mixed"}) {
        const Socket s(family == "ip4" ? AF_INET : AF_INET6);
        const int sndbuf = 64 << 20;
        constexpr size_t warm = 3, rounds = 9;
        s.option(SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf), "SO_SNDBUFFORCE");
        s.change(SO_SETGRP, members(family, n));
        auto send = [&] {
            check(::send(s.fd(), data.data(), data.size(), 0) == static_cast<ssize_t>(data.size()),
                  "send");
        };
        for (size_t i = 0; i < warm; i++)
            send();
        const uint64_t before = device.tx_packets();
        const double took = median_of(rounds, send);
        printf(R"({"way": "group", "variant": "%s", "device": "%s", "members": %zu, "bytes": %zu, )"
               R"("value": %.2f, "unit": "instructions/member", "packets": %llu, "due": %zu})"
               "\n",
               std::string(family).c_str(), device.name().c_str(), n, bytes,
               took / static_cast<double>(n),
               static_cast<unsigned long long>(device.tx_packets() - before), rounds * n);
    }
}

// Members all over the group take turns to leave and come back.
void churn(size_t n)
{
    const Socket s(AF_INET);
    s.change(SO_SETGRP, members("ip4", n));
    size_t i = 0;
    const double took = median_of(301, [&] {
        Packed one;
        add(one, ip4(i % n));
        i += 7919;
        s.change(SO_DELGRP, one);
        s.change(SO_ADDGRP, one);
    });
    printf(R"({"way": "group", "variant": "leave and join", "members": %zu, "value": %.0f, )"
           R"("unit": "instructions"})"
           "\n",
           n, took);
}

// Control messages of a send to the first slot, who is not among those left out.
std::vector<char> first_but(const Packed &skip)
{
    const udp_grp_range range{0, 1};
    std::vector<char> control(CMSG_SPACE(sizeof(range)) + CMSG_SPACE(skip.size()));
    msghdr msg{};
    msg.msg_control = control.data();
    msg.msg_controllen = control.size();
    cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
    cmsg->cmsg_level = SOL_UDP;
    cmsg->cmsg_type = UDP_GRP_RANGE;
    cmsg->cmsg_len = CMSG_LEN(sizeof(range));
    memcpy(CMSG_DATA(cmsg), &range, sizeof(range));
    cmsg = CMSG_NXTHDR(&msg, cmsg);
    cmsg->cmsg_level = SOL_UDP;
    cmsg->cmsg_type = UDP_GRP_SKIP;
    cmsg->cmsg_len = CMSG_LEN(skip.size());
    memcpy(CMSG_DATA(cmsg), skip.data(), skip.size());
    return control;
}

// What a send costs more for each address that it is to leave out, with some from
// all over the group.
void skip(size_t n)
{
    if (n < 2)
        throw std::runtime_error("skip: in two members at least");
    const Socket s(AF_INET);
    s.change(SO_SETGRP, members("ip4", n));
    double none = 0;
    for (size_t skipped : {0, 1, 8, 64}) {
        Packed addrs;
        for (size_t i = 1; i <= skipped; i++)
            add(addrs, ip4(1 + i * 7919 % (n - 1)));
        std::vector<char> control = first_but(addrs);
        char data[100] = {};
        iovec iov{data, sizeof(data)};
        msghdr msg{};
        msg.msg_iov = &iov;
        msg.msg_iovlen = 1;
        msg.msg_control = control.data();
        msg.msg_controllen = control.size();
        const double took =
            median_of(31, [&] { check(sendmsg(s.fd(), &msg, 0) == sizeof(data), "sendmsg"); });
        if (!skipped) {
            none = took;
            continue;
        }
        printf(R"({"way": "group", "variant": "skip", "members": %zu, "skipped": %zu, )"
               R"("value": %.1f, "unit": "instructions/address"})"
               "\n",
               n, skipped, (took - none) / static_cast<double>(skipped));
    }
}

class Cgroup {
public:
    explicit Cgroup(std::string path) : file_(std::move(path) + "/memory.current") {}
    double bytes() const
    {
        std::ifstream in(file_);
        double n = 0;
        check(static_cast<bool>(in >> n), file_.c_str());
        return n;
    }

private:
    std::string file_;
};

void memory_row(const char *what, size_t n, double bytes)
{
    printf(R"({"way": "%s", "variant": "memory", "members": %zu, "value": %.1f, )"
           R"("unit": "bytes/member"})"
           "\n",
           what, n, bytes / static_cast<double>(n));
}

void memory(const Cgroup &cgroup, size_t n, size_t sockets)
{
    {
        const Socket s(AF_INET);
        const Packed all = members("ip4", n);
        s.change(SO_SETGRP, members("ip4", 1));
        const double before = cgroup.bytes();
        s.change(SO_SETGRP, all);
        memory_row("group", n, cgroup.bytes() - before);
    }
    const rlimit limit{sockets + 64, sockets + 64};
    check(!setrlimit(RLIMIT_NOFILE, &limit), "RLIMIT_NOFILE");
    std::vector<Socket> all;
    all.reserve(sockets);
    const double before = cgroup.bytes();
    for (size_t i = 0; i < sockets; i++) {
        const sockaddr_in to = ip4(i);
        all.emplace_back(AF_INET);
        check(!connect(all.back().fd(), reinterpret_cast<const sockaddr *>(&to), sizeof(to)),
              "connect");
    }
    memory_row("connected", sockets, cgroup.bytes() - before);
}

size_t number(const char *text) { return strtoul(text, nullptr, 10); }

} // namespace

int main(int argc, char **argv)
try {
    const std::vector<std::string_view> args(argv, argv + argc);
    if (argc > 4 && args[1] == "families") {
        const Device device(argv[2]);
        for (int i = 4; i < argc; i++)
            families(device, number(argv[3]), number(argv[i]));
    } else if (argc > 2 && args[1] == "churn") {
        for (int i = 2; i < argc; i++)
            churn(number(argv[i]));
    } else if (argc > 2 && args[1] == "skip") {
        for (int i = 2; i < argc; i++)
            skip(number(argv[i]));
    } else if (argc == 5 && args[1] == "memory") {
        memory(Cgroup(argv[2]), number(argv[3]), number(argv[4]));
    } else {
        fprintf(stderr, "usage: interface families|churn|skip|memory ...\n");
        return 2;
    }
    return 0;
} catch (const std::exception &e) {
    fprintf(stderr, "interface: %s\n", e.what());
    return 1;
}
