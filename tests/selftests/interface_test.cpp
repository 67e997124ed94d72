// SPDX-License-Identifier: GPL-2.0-only
// SO_SETGRP and SO_GRPSTAT: what is accepted, what is refused and with which
// errno, and that a refusal changes nothing.

#include "support.hpp"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace selftest {
namespace {

class Interface : public InNamespace {};

TEST_F(Interface, ReadsBackInOrder)
{
    Sender s;
    auto addrs = many(0x0a000001, 300);
    std::reverse(addrs.begin(), addrs.end());
    ASSERT_EQ(s.set(addrs), 0);
    EXPECT_EQ(s.members(), addrs);
}

TEST_F(Interface, NoGroupReadsAsEmpty)
{
    Sender s;
    EXPECT_TRUE(s.members().empty());
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.generation, 0u);
    EXPECT_EQ(stat.totals.members, 0u);
    EXPECT_EQ(s.set({}), 0);
    EXPECT_EQ(s.stat().totals.generation, 0u);
    EXPECT_EQ(s.send("x"), -EDESTADDRREQ);
}

TEST_F(Interface, EveryChangeIsANewGeneration)
{
    Sender s;
    auto addrs = many(0x0a000001, 2);
    for (uint64_t g = 1; g <= 3; g++) {
        ASSERT_EQ(s.set(addrs), 0);
        EXPECT_EQ(s.stat().totals.generation, g);
    }
    ASSERT_EQ(s.set({}), 0);
    EXPECT_EQ(s.stat().totals.generation, 4u);
    ASSERT_EQ(s.set({}), 0);
    EXPECT_EQ(s.stat().totals.generation, 4u);
    ASSERT_EQ(s.set(addrs), 0);
    EXPECT_EQ(s.stat().totals.generation, 5u);
}

TEST_F(Interface, ShortBufferSaysHowLong)
{
    Sender s;
    auto addrs = many(0x0a000001, 3);
    ASSERT_EQ(s.set(addrs), 0);
    for (socklen_t given : {0u, 1u, 16u, 47u}) {
        char buf[48];
        memset(buf, 0x5a, sizeof(buf));
        socklen_t len = given;
        EXPECT_EQ(result(getsockopt(s.fd(), SOL_SOCKET, SO_SETGRP, buf, &len)), -ERANGE);
        EXPECT_EQ(len, 48u);
        for (char c : buf)
            EXPECT_EQ(c, 0x5a);
    }
    char buf[100];
    socklen_t len = sizeof(buf);
    EXPECT_EQ(result(getsockopt(s.fd(), SOL_SOCKET, SO_SETGRP, buf, &len)), 0);
    EXPECT_EQ(len, 48u);
}

TEST_F(Interface, RefusesWrongLengths)
{
    Sender s;
    auto addrs = many(0x0a000001, 4);
    ASSERT_EQ(s.set(addrs), 0);
    Unchanged unchanged(s);
    for (size_t len = 1; len < 48; len++) {
        if (len % 16 == 0)
            continue;
        EXPECT_EQ(s.set_raw(addrs.data(), len), -EINVAL) << len;
    }
    for (int value : {0, 1, static_cast<int>(AF_INET), -1})
        EXPECT_EQ(s.set_raw(&value, sizeof(value)), -EINVAL) << value;
    EXPECT_EQ(result(setsockopt(s.fd(), SOL_SOCKET, SO_SETGRP, addrs.data(),
                                static_cast<socklen_t>(-16))),
              -EINVAL);
}

TEST_F(Interface, RefusesBadAddresses)
{
    Sender s;
    auto good = many(0x0a000001, 3);
    ASSERT_EQ(s.set(good), 0);
    Unchanged unchanged(s);
    struct {
        sockaddr_in bad;
        long err;
    } cases[] = {
        {{.sin_family = AF_INET6, .sin_port = htons(1), .sin_addr = {}, .sin_zero = {}},
         -EAFNOSUPPORT},
        {{.sin_family = AF_UNSPEC, .sin_port = htons(1), .sin_addr = {}, .sin_zero = {}},
         -EAFNOSUPPORT},
        {{.sin_family = 0xffff, .sin_port = htons(1), .sin_addr = {}, .sin_zero = {}},
         -EAFNOSUPPORT},
        {address("10.1.1.1", 0), -EINVAL},
        {good[0], -EADDRINUSE},
    };
    for (const auto &c : cases) {
        for (size_t where = 1; where <= good.size(); where++) {
            auto addrs = good;
            addrs.insert(addrs.begin() + static_cast<long>(where), c.bad);
            EXPECT_EQ(s.set(addrs), c.err);
        }
    }
}

TEST_F(Interface, RefusesTooMany)
{
    Sender s;
    auto addrs = many(0x0a000001, UDP_GROUP_MAX_MEMBERS + 1);
    ASSERT_EQ(s.set(std::span(addrs).first(2)), 0);
    {
        Unchanged unchanged(s);
        EXPECT_EQ(s.set(addrs), -ENOBUFS);
        // refused before memory is taken for it
        EXPECT_EQ(s.set_raw(addrs.data(), 0x7fffffff), -ENOBUFS);
    }
    EXPECT_EQ(s.set(std::span(addrs).first(UDP_GROUP_MAX_MEMBERS)), 0);
    EXPECT_EQ(s.stat().totals.members, static_cast<unsigned>(UDP_GROUP_MAX_MEMBERS));
}

TEST_F(Interface, RefusesUnreadablePointers)
{
    Sender s;
    auto addrs = many(0x0a000001, 2);
    ASSERT_EQ(s.set(addrs), 0);
    Unchanged unchanged(s);
    EXPECT_EQ(s.set_raw(nullptr, 16), -EFAULT);
    EXPECT_EQ(s.set_raw(reinterpret_cast<void *>(~0UL - 4096), 16), -EFAULT);

    // the second address lies on a page that is not there
    auto page = static_cast<char *>(
        mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(page, MAP_FAILED);
    munmap(page + 4096, 4096);
    memcpy(page + 4080, addrs.data(), 16);
    EXPECT_EQ(s.set_raw(page + 4080, 32), -EFAULT);

    socklen_t len = 32;
    EXPECT_EQ(result(getsockopt(s.fd(), SOL_SOCKET, SO_SETGRP, page + 4080, &len)), -EFAULT);
    udp_grpstat stat{};
    stat.size = sizeof(stat);
    stat.member_size = sizeof(udp_grpstat_member);
    memcpy(page + 4096 - sizeof(stat), &stat, sizeof(stat));
    len = sizeof(stat) + sizeof(udp_grpstat_member);
    EXPECT_EQ(result(getsockopt(s.fd(), SOL_SOCKET, SO_GRPSTAT, page + 4096 - sizeof(stat), &len)),
              -EFAULT);
    EXPECT_EQ(result(getsockopt(s.fd(), SOL_SOCKET, SO_GRPSTAT, nullptr, &len)), -EFAULT);
    EXPECT_EQ(result(getsockopt(s.fd(), SOL_SOCKET, SO_GRPSTAT, &stat, nullptr)), -EFAULT);
    munmap(page, 4096);
}

TEST_F(Interface, RefusesOtherSockets)
{
    auto addrs = many(0x0a000001, 2);
    struct {
        int domain, type, protocol;
    } kinds[] = {{AF_INET, SOCK_STREAM, 0}, {AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE},
                 {AF_UNIX, SOCK_DGRAM, 0},  {AF_INET, SOCK_RAW, IPPROTO_UDP},
                 {AF_PACKET, SOCK_RAW, 0},  {AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE},
                 {AF_INET6, SOCK_STREAM, 0}};
    for (const auto &k : kinds) {
        Sender s(k.domain, k.type, k.protocol);
        udp_grpstat stat{};
        stat.size = sizeof(stat);
        socklen_t len = sizeof(stat);
        EXPECT_EQ(s.set(addrs), -EOPNOTSUPP) << k.domain << ' ' << k.type;
        EXPECT_EQ(result(getsockopt(s.fd(), SOL_SOCKET, SO_GRPSTAT, &stat, &len)), -EOPNOTSUPP);
    }
}

TEST_F(Interface, StatIsReadOnly)
{
    Sender s;
    udp_grpstat stat{};
    EXPECT_EQ(result(setsockopt(s.fd(), SOL_SOCKET, SO_GRPSTAT, &stat, sizeof(stat))),
              -ENOPROTOOPT);
}

TEST_F(Interface, ConnectedSocketsHaveNoGroup)
{
    auto addrs = many(0x0a000001, 2);
    Receiver r;
    Sender s;
    auto dest = reinterpret_cast<const sockaddr *>(&r.address());
    ASSERT_EQ(connect(s.fd(), dest, sizeof(sockaddr_in)), 0);
    EXPECT_EQ(s.set(addrs), -EISCONN);
    EXPECT_EQ(s.set({}), -EISCONN);

    sockaddr unspec{};
    unspec.sa_family = AF_UNSPEC;
    ASSERT_EQ(connect(s.fd(), &unspec, sizeof(unspec)), 0);
    ASSERT_EQ(s.set(addrs), 0);
    {
        Unchanged unchanged(s);
        EXPECT_EQ(result(connect(s.fd(), dest, sizeof(sockaddr_in))), -EISCONN);
        // nothing to disconnect from, and nothing that it breaks
        EXPECT_EQ(connect(s.fd(), &unspec, sizeof(unspec)), 0);
    }
    ASSERT_EQ(s.set({}), 0);
    EXPECT_EQ(connect(s.fd(), dest, sizeof(sockaddr_in)), 0);
}

TEST_F(Interface, CorkedSocketsHaveNoGroup)
{
    auto addrs = many(0x0a000001, 2);
    Receiver r;
    Sender s;
    ASSERT_EQ(s.option(SOL_UDP, UDP_CORK, 1), 0);
    EXPECT_EQ(s.set(addrs), -EBUSY);
    ASSERT_EQ(s.option(SOL_UDP, UDP_CORK, 0), 0);

    ASSERT_EQ(s.send_to("half", r.address(), MSG_MORE), 4);
    EXPECT_EQ(s.set(addrs), -EBUSY);
    ASSERT_EQ(s.send_to("whole", r.address()), 5);
    EXPECT_EQ(r.next(), "halfwhole");
    EXPECT_EQ(s.set(addrs), 0);
}

TEST_F(Interface, EncapsulationSocketsHaveNoGroup)
{
    constexpr int udp_encap = 100, l2tpinudp = 3;
    auto addrs = many(0x0a000001, 2);
    Sender s, t;
    ASSERT_EQ(s.option(SOL_UDP, udp_encap, l2tpinudp), 0);
    EXPECT_EQ(s.set(addrs), -EBUSY);

    ASSERT_EQ(t.set(addrs), 0);
    EXPECT_EQ(t.option(SOL_UDP, udp_encap, l2tpinudp), -EBUSY);
    ASSERT_EQ(t.set({}), 0);
    EXPECT_EQ(t.option(SOL_UDP, udp_encap, l2tpinudp), 0);
}

long bpf(int cmd, union bpf_attr *attr) { return syscall(SYS_bpf, cmd, attr, sizeof(*attr)); }

TEST_F(Interface, SocketsInASockmapHaveNoGroup)
{
    union bpf_attr attr {};
    attr.map_type = BPF_MAP_TYPE_SOCKMAP;
    attr.key_size = attr.value_size = 4;
    attr.max_entries = 1;
    Fd map(static_cast<int>(bpf(BPF_MAP_CREATE, &attr)));
    ASSERT_GE(map.get(), 0) << strerror(errno);

    auto insert = [&](int fd) {
        uint32_t key = 0, value = static_cast<uint32_t>(fd);
        union bpf_attr elem {};
        elem.map_fd = static_cast<uint32_t>(map.get());
        elem.key = reinterpret_cast<uintptr_t>(&key);
        elem.value = reinterpret_cast<uintptr_t>(&value);
        return result(bpf(BPF_MAP_UPDATE_ELEM, &elem));
    };
    auto addrs = many(0x0a000001, 2);
    Sender s, t;
    // a sockmap takes sockets that are bound
    auto any = address("127.0.0.1", 0);
    for (int fd : {s.fd(), t.fd()})
        ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr *>(&any), sizeof(any)), 0);
    ASSERT_EQ(insert(s.fd()), 0);
    EXPECT_EQ(s.set(addrs), -EBUSY);
    ASSERT_EQ(t.set(addrs), 0);
    EXPECT_EQ(insert(t.fd()), -EBUSY);
}

TEST_F(Interface, StatRefusesWrongSizes)
{
    Sender s;
    ASSERT_EQ(s.set(many(0x0a000001, 2)), 0);
    struct {
        uint32_t size, member_size, records;
        socklen_t len;
    } cases[] = {{88, 0, 0, 0},  {88, 0, 0, 15}, {88, 0, 0, 16},  {0, 0, 0, 88},  {8, 0, 0, 88},
                 {20, 0, 0, 88}, {96, 0, 0, 88}, {88, 12, 0, 88}, {88, 72, 1, 88}};
    for (const auto &c : cases) {
        char buf[512] = {};
        udp_grpstat stat{};
        stat.size = c.size;
        stat.member_size = c.member_size;
        stat.records = c.records;
        memcpy(buf, &stat, sizeof(stat));
        socklen_t len = c.len;
        EXPECT_EQ(result(getsockopt(s.fd(), SOL_SOCKET, SO_GRPSTAT, buf, &len)), -EINVAL)
            << c.size << ' ' << c.member_size << ' ' << c.len;
    }
}

TEST_F(Interface, StatGoesOnFromAnySlot)
{
    Sender s;
    auto addrs = many(0x0a000001, 10);
    ASSERT_EQ(s.set(addrs), 0);
    struct {
        udp_grpstat stat;
        udp_grpstat_member member[4];
    } buf{};
    uint32_t slot = 0;
    while (slot < 10) {
        buf.stat = {};
        buf.stat.size = sizeof(buf.stat);
        buf.stat.member_size = sizeof(buf.member[0]);
        buf.stat.first_slot = slot;
        socklen_t len = sizeof(buf);
        ASSERT_EQ(getsockopt(s.fd(), SOL_SOCKET, SO_GRPSTAT, &buf, &len), 0);
        ASSERT_EQ(buf.stat.records, std::min(4u, 10 - slot));
        for (uint32_t i = 0; i < buf.stat.records; i++, slot++) {
            EXPECT_EQ(buf.member[i].slot, slot);
            EXPECT_EQ(buf.member[i].addr.in, addrs[slot]);
        }
    }
    buf.stat.first_slot = 0xffffffff;
    buf.stat.records = 0;
    socklen_t len = sizeof(buf);
    ASSERT_EQ(getsockopt(s.fd(), SOL_SOCKET, SO_GRPSTAT, &buf, &len), 0);
    EXPECT_EQ(buf.stat.records, 0u);
}

TEST_F(Interface, TheGroupIsTheSockets)
{
    Receiver r;
    Sender s;
    ASSERT_EQ(s.set({&r.address(), 1}), 0);
    Fd copy(dup(s.fd()));
    pid_t pid = fork();
    if (pid == 0)
        _exit(s.send("child") == 5 ? 0 : 1);
    int status = -1;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(r.next(), "child");
    s.close();
    EXPECT_EQ(::send(copy.get(), "dup", 3, 0), 3);
    EXPECT_EQ(r.next(), "dup");
}

// Root over a namespace of one's own is no root over the limit.
TEST(Limit, IsTheSystemsAlone)
{
    const char *path = "/proc/sys/net/ipv4/udp_group_max_members";
    std::ofstream(path) << 3;
    Sender s;
    auto addrs = many(0x0a000001, 4);
    EXPECT_EQ(s.set(addrs), -ENOBUFS);
    EXPECT_EQ(s.set(std::span(addrs).first(3)), 0);

    pid_t pid = fork();
    if (pid == 0) {
        if (setgid(65534) || setuid(65534) || unshare(CLONE_NEWUSER | CLONE_NEWNET))
            _exit(2);
        Sender inside;
        if (inside.set(addrs) != -ENOBUFS)
            _exit(3);
        if (open(path, O_WRONLY) >= 0)
            _exit(4);
        _exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);

    std::ofstream(path) << 0;
    EXPECT_EQ(s.set(std::span(addrs).first(1)), -ENOBUFS);
    std::ofstream out(path);
    out << 65537 << std::flush;
    EXPECT_FALSE(out.good());
    std::ofstream(path) << UDP_GROUP_MAX_MEMBERS;
    EXPECT_EQ(s.set(addrs), 0);
}

} // namespace
} // namespace selftest
