// SPDX-License-Identifier: GPL-2.0-only
// What exists composes: flags, control messages, socket options and other ways
// into sendmsg() do for each member what they do for a sendto(). What cannot
// compose is refused, and nothing is sent.

#include "messages.hpp"

#include <sys/mman.h>
#include <sys/sendfile.h>

namespace selftest {
namespace {

class Compose : public InNamespace {};

TEST_F(Compose, ControlMessagesGoWithEachDatagram)
{
    in_pktinfo source{};
    source.ipi_spec_dst = address("127.0.0.9", 0).sin_addr;
    struct {
        const char *name;
        Control control;
        int ttl, tos;
        const char *from;
    } cases[] = {
        {"none", Control(), 64, 0, "127.0.0.1"},
        {"IP_TTL", Control().add(SOL_IP, IP_TTL, 7), 7, 0, "127.0.0.1"},
        {"IP_TOS", Control().add(SOL_IP, IP_TOS, 0x10), 64, 0x10, "127.0.0.1"},
        {"IP_PKTINFO", Control().add(SOL_IP, IP_PKTINFO, source), 64, 0, "127.0.0.9"},
        {"all",
         Control().add(SOL_IP, IP_TTL, 9).add(SOL_IP, IP_TOS, 0x08).add(SOL_IP, IP_PKTINFO, source),
         9, 0x08, "127.0.0.9"},
    };
    std::vector<Receiver> rs(3);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    for (auto &r : rs) { // so that the first has the header's fields as well
        int on = 1;
        setsockopt(r.fd(), SOL_IP, IP_RECVTTL, &on, sizeof(on));
        setsockopt(r.fd(), SOL_IP, IP_RECVTOS, &on, sizeof(on));
    }
    for (auto &c : cases) {
        SCOPED_TRACE(c.name);
        Datagram expected{"data", c.ttl, c.tos, c.from};
        for (auto &r : rs) {
            EXPECT_EQ(Message("data", c.control, r.address()).send(s), 4);
            EXPECT_EQ(receive(r), expected);
        }
        EXPECT_EQ(Message("data", c.control).send(s), 4);
        for (auto &r : rs)
            EXPECT_EQ(receive(r), expected);
        expect_none(rs);
    }
}

TEST_F(Compose, BadControlMessagesAreRefused)
{
    char byte = 1;
    struct {
        const char *name;
        Control control;
    } cases[] = {
        {"unknown SOL_IP", Control().add(SOL_IP, 0x7777, 1)},
        {"unknown SOL_UDP", Control().add(SOL_UDP, 0x4710, 1)},
        {"unknown SOL_SOCKET", Control().add(SOL_SOCKET, 0x7777, 1)},
        {"IP_TTL too short", Control().add(SOL_IP, IP_TTL, byte)},
        {"IP_TTL 0", Control().add(SOL_IP, IP_TTL, 0)},
        {"IP_TTL 256", Control().add(SOL_IP, IP_TTL, 256)},
        {"IP_TOS 256", Control().add(SOL_IP, IP_TOS, 256)},
        {"IP_PKTINFO too short", Control().add(SOL_IP, IP_PKTINFO, 1)},
        {"UDP_SEGMENT too short", Control().add(SOL_UDP, UDP_SEGMENT, byte)},
        {"UDP_SEGMENT too long", Control().add(SOL_UDP, UDP_SEGMENT, 1)},
        {"SO_MARK too short", Control().add(SOL_SOCKET, SO_MARK, byte)},
        {"SCM_TXTIME not enabled", Control().add(SOL_SOCKET, SCM_TXTIME, uint64_t{1})},
        {"shorter than its header", Control().add(SOL_IP, IP_TTL, 1).claim(0, 8)},
        {"longer than the buffer", Control().add(SOL_IP, IP_TTL, 1).claim(0, 4096)},
        {"behind a good one",
         Control().add(SOL_IP, IP_TTL, 1).add(SOL_IP, IP_TOS, 8).add(SOL_IP, 0x7777, 1)},
    };
    std::vector<Receiver> rs(2);
    auto addrs = addresses(rs);
    addrs.push_back(address("10.77.0.1", 9)); // would fail
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    for (auto &c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(Message("data", c.control, addrs[0]).send(s), -EINVAL);
        auto before = s.stat().totals;
        auto ip = snmp("Ip"), udp = snmp("Udp");
        EXPECT_EQ(Message("data", c.control).send(s), -EINVAL);
        auto after = s.stat();
        EXPECT_EQ(memcmp(&after.totals, &before, sizeof(before)), 0);
        for (const auto &m : after.members)
            EXPECT_EQ(m.error, 0);
        EXPECT_EQ(snmp("Ip"), ip);
        EXPECT_EQ(snmp("Udp"), udp);
        expect_none(rs);
    }
}

TEST_F(Compose, EachMessageOfManyGoesToTheWholeGroup)
{
    std::vector<Receiver> rs(3);
    Receiver other;
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    auto send_many = [&](std::initializer_list<const Message *> messages) {
        std::vector<mmsghdr> vec;
        for (auto m : messages)
            vec.push_back({.msg_hdr = m->header(), .msg_len = 99});
        EXPECT_EQ(result(sendmmsg(s.fd(), vec.data(), static_cast<unsigned>(vec.size()), 0)),
                  static_cast<long>(vec.size()));
        for (const auto &m : vec)
            EXPECT_EQ(m.msg_len, m.msg_hdr.msg_iov->iov_len);
    };
    Message one("1"), two("two", Control().add(SOL_IP, IP_TTL, 5)), none("");
    Message there("there", {}, other.address()), member("member", {}, rs[1].address());

    send_many({&one, &two, &none});
    for (auto &r : rs) {
        EXPECT_EQ(r.next(), "1");
        EXPECT_EQ(receive(r).data, "two");
        EXPECT_EQ(r.next(), "");
    }
    EXPECT_EQ(s.stat().totals.sends, 3u);

    send_many({&there, &one, &there, &member, &two, &member});
    EXPECT_EQ(other.next(), "there");
    EXPECT_EQ(other.next(), "there");
    EXPECT_TRUE(other.empty());
    for (auto &r : rs) {
        EXPECT_EQ(r.next(), "1");
        if (&r == &rs[1]) {
            EXPECT_EQ(r.next(), "member");
        }
        EXPECT_EQ(r.next(), "two");
        if (&r == &rs[1]) {
            EXPECT_EQ(r.next(), "member");
        }
    }
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.sends, 5u);
    EXPECT_EQ(s.stat().totals.sent, 15u);
}

TEST_F(Compose, EachDatagramLeavesAtItsTime)
{
    std::vector<Receiver> rs(3);
    Sender s;
    hold_datagrams(s);
    ASSERT_EQ(s.set(addresses(rs)), 0);
    uint64_t departure = monotonic() + 300000000;
    EXPECT_EQ(Message("x", leave_at(departure)).send(s), 1);
    for (auto &r : rs) {
        EXPECT_EQ(r.next(), "x");
        EXPECT_GE(monotonic(), departure);
    }
}

TEST_F(Compose, FlagsGoWithEachDatagram)
{
    std::vector<Receiver> rs(3);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    for (int flags : {0, int{MSG_DONTWAIT}, int{MSG_NOSIGNAL}, int{MSG_CONFIRM}, int{MSG_DONTROUTE},
                      int{MSG_EOR}, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CONFIRM}) {
        SCOPED_TRACE(flags);
        EXPECT_EQ(s.send_to("one", rs[0].address(), flags), 3);
        EXPECT_EQ(rs[0].next(), "one");
        EXPECT_EQ(s.send("data", flags), 4);
        expect_each(rs, "data");
        expect_none(rs);
    }
}

// What takes part in the choice of a route, changed between two sends.
TEST_F(Compose, RoutingOptionsHoldFromTheNextSend)
{
    devices();
    run("ip rule add fwmark 7 lookup 7 && ip rule add tos 0x10 lookup 7 && "
        "ip route add default dev d8 table 7");
    Capture d8("d8"), d9("d9");
    auto addrs = many(0x0a090002, 3);
    const std::string name = "d8", no_name;
    int index = static_cast<int>(htonl(if_nametoindex("d8"))), no_index = 0;
    int mark = 7, no_mark = 0, tos = 0x10, no_tos = 0;
    struct {
        const char *what;
        int level, option;
        const void *on, *off;
        socklen_t on_len, off_len;
    } options[] = {
        {"SO_MARK", SOL_SOCKET, SO_MARK, &mark, &no_mark, sizeof(mark), sizeof(mark)},
        {"SO_BINDTODEVICE", SOL_SOCKET, SO_BINDTODEVICE, name.data(), no_name.data(), 3, 0},
        {"IP_UNICAST_IF", SOL_IP, IP_UNICAST_IF, &index, &no_index, sizeof(index), sizeof(index)},
        {"IP_TOS", SOL_IP, IP_TOS, &tos, &no_tos, sizeof(tos), sizeof(tos)},
    };
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    for (const auto &o : options) {
        SCOPED_TRACE(o.what);
        for (bool on : {false, true, false}) {
            ASSERT_EQ(
                setsockopt(s.fd(), o.level, o.option, on ? o.on : o.off, on ? o.on_len : o.off_len),
                0)
                << strerror(errno);
            EXPECT_EQ(s.send_to("x", addrs[0]), 1);
            EXPECT_EQ(d8.take().size(), on ? 1u : 0u);
            EXPECT_EQ(d9.take().size(), on ? 0u : 1u);
            EXPECT_EQ(s.send("x"), 1);
            EXPECT_EQ(d8.take().size(), on ? 3u : 0u);
            EXPECT_EQ(d9.take().size(), on ? 0u : 3u);
        }
    }
    EXPECT_EQ(Message("x", Control().add(SOL_SOCKET, SO_MARK, 7)).send(s), 1);
    EXPECT_EQ(d8.take().size(), 3u);
    EXPECT_EQ(Message("x").send(s), 1);
    EXPECT_EQ(d9.take().size(), 3u);
}

TEST_F(Compose, ADatagramTooLongForOnePath)
{
    devices();
    std::vector<Receiver> rs(2);
    auto addrs = addresses(rs);
    addrs.insert(addrs.begin(), address("10.9.0.2", 9));
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    ASSERT_EQ(s.option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
    const std::string data = pattern(4000);
    EXPECT_EQ(s.send_to(data, addrs[0]), -EMSGSIZE);
    EXPECT_EQ(s.send(data), 4000);
    expect_each(rs, data);
    auto stat = s.stat();
    EXPECT_EQ(stat.members[0].failed, 1u);
    EXPECT_EQ(stat.members[0].error, EMSGSIZE);
    EXPECT_EQ(stat.totals.sent, 2u);
    EXPECT_EQ(s.error(), 0);

    // the error queue tells of it as for sendto(), where the IP layer gives the
    // MTU and no port; and of a member once more, with its port
    ASSERT_EQ(s.option(SOL_IP, IP_RECVERR, 1), 0);
    for (bool group : {false, true}) {
        EXPECT_EQ(group ? s.send(data) : s.send_to(data, addrs[0]), group ? 4000 : -EMSGSIZE);
        auto n = queued_error(s.fd(), patience);
        ASSERT_TRUE(n);
        EXPECT_EQ(n->err.ee_origin, SO_EE_ORIGIN_LOCAL);
        EXPECT_EQ(n->err.ee_errno, static_cast<unsigned>(EMSGSIZE));
        EXPECT_EQ(n->err.ee_info, 1500u);
        EXPECT_EQ(n->who, address("10.9.0.2", 0));
        if (group) {
            n = queued_error(s.fd(), patience);
            ASSERT_TRUE(n);
            EXPECT_EQ(n->err.ee_errno, static_cast<unsigned>(EMSGSIZE));
            EXPECT_EQ(n->err.ee_info, 0u);
            EXPECT_EQ(n->who, addrs[0]);
        }
        EXPECT_LT(recv(s.fd(), nullptr, 0, MSG_ERRQUEUE | MSG_DONTWAIT), 0);
    }
    expect_each(rs, data);

    // nothing is too long that may be fragmented
    ASSERT_EQ(s.option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT), 0);
    EXPECT_EQ(s.send(data), 4000);
    expect_each(rs, data);
    EXPECT_EQ(s.stat().members[0].sent, 1u);
}

// The loopback device takes packets that are longer than IPv4 has a length for.
TEST_F(Compose, ADatagramTooLongForAnyPath)
{
    for (int mode : {IP_PMTUDISC_DONT, IP_PMTUDISC_WANT, IP_PMTUDISC_DO, IP_PMTUDISC_PROBE,
                     IP_PMTUDISC_INTERFACE, IP_PMTUDISC_OMIT}) {
        for (size_t size : {65507, 65508, 65528, 65535}) {
            SCOPED_TRACE(std::to_string(mode) + ", " + std::to_string(size));
            Receiver r;
            Sender s;
            ASSERT_EQ(s.option(SOL_IP, IP_MTU_DISCOVER, mode), 0);
            ASSERT_EQ(s.set(addresses({&r, 1})), 0);
            const std::string data = pattern(size);
            const long alone = s.send_to(data, r.address());
            EXPECT_EQ(s.send(data), static_cast<long>(size));
            EXPECT_EQ(s.stat().members[0].error, alone < 0 ? -alone : 0);
            // with IP_PMTUDISC_INTERFACE, sendto() takes some that never arrive
            for (int n = 0; size <= 65507 && n < 2; n++)
                EXPECT_TRUE(r.next() == data);
            if (size > 65507 && mode != IP_PMTUDISC_INTERFACE) {
                EXPECT_EQ(alone, -EMSGSIZE);
            }
            EXPECT_TRUE(r.empty());
        }
    }
}

TEST_F(Compose, FragmentsArriveIntact)
{
    NetNs peer;
    ns.enter();
    run("ip link add near mtu 600 type veth peer name far mtu 600 netns /proc/" +
        std::to_string(getpid()) + "/fd/" + std::to_string(peer.fd()) +
        " && ip addr add 10.1.0.1/24 dev near && ip link set near up");
    peer.enter();
    run("ip addr add 10.1.0.2/24 dev far && ip addr add 10.1.0.3/24 dev far && "
        "ip link set far up");
    std::vector<Receiver> rs;
    for (auto ip : {"10.1.0.2", "10.1.0.2", "10.1.0.3", "10.1.0.3"})
        rs.emplace_back(ip);
    ns.enter();
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    for (size_t size : {572, 573, 5000, 20000}) {
        SCOPED_TRACE(size);
        const std::string data = pattern(size);
        EXPECT_EQ(s.send(data), static_cast<long>(size));
        expect_each(rs, data);
    }
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.sent, 16u);
    ns.leave();
}

TEST_F(Compose, SplicedPagesReachEveryone)
{
    std::vector<Receiver> rs(3);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    const std::string data = pattern(4096);
    auto page = static_cast<char *>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memcpy(page, data.data(), 4096);
    iovec iov{page, 4096};
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    Fd out(ends[0]), in(ends[1]);

    ASSERT_EQ(vmsplice(in.get(), &iov, 1, 0), 4096);
    EXPECT_EQ(result(splice(out.get(), nullptr, s.fd(), nullptr, 4096, 0)), 4096);
    expect_each(rs, data);
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.sends, 1u);

    // with more to come it would be one datagram in the making
    ASSERT_EQ(vmsplice(in.get(), &iov, 1, 0), 4096);
    ASSERT_EQ(result(splice(out.get(), nullptr, s.fd(), nullptr, 4096, SPLICE_F_MORE)),
              -EOPNOTSUPP);
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.sends, 1u);
    // which is then still in the pipe
    EXPECT_EQ(result(splice(out.get(), nullptr, s.fd(), nullptr, 4096, 0)), 4096);
    expect_each(rs, data);

    char path[] = "/tmp/compose_test.XXXXXX";
    Fd file(mkstemp(path));
    unlink(path);
    for (size_t size : {4096, 3000}) {
        ASSERT_EQ(ftruncate(file.get(), 0), 0);
        ASSERT_EQ(pwrite(file.get(), data.data(), size, 0), static_cast<ssize_t>(size));
        off_t offset = 0;
        EXPECT_EQ(result(sendfile(s.fd(), file.get(), &offset, size)), static_cast<long>(size));
        expect_each(rs, data.substr(0, size));
        expect_none(rs);
    }
    munmap(page, 4096);
}

TEST_F(Compose, CorkingIsRefused)
{
    std::vector<Receiver> rs(2);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    auto refused = [&](int flags) {
        auto before = s.stat().totals;
        auto udp = snmp("Udp");
        EXPECT_EQ(s.send("data", flags), -EOPNOTSUPP);
        auto after = s.stat().totals;
        EXPECT_EQ(memcmp(&after, &before, sizeof(before)), 0);
        EXPECT_EQ(snmp("Udp"), udp);
        expect_none(rs);
    };
    refused(MSG_MORE);
    refused(MSG_OOB);
    ASSERT_EQ(s.option(SOL_UDP, UDP_CORK, 1), 0);
    refused(0);
    ASSERT_EQ(s.option(SOL_UDP, UDP_CORK, 0), 0);
    EXPECT_EQ(s.send("data"), 4);
    expect_each(rs, "data");
}

TEST_F(Compose, ADatagramInTheMakingComesFirst)
{
    std::vector<Receiver> rs(2);
    Receiver other;
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    ASSERT_EQ(s.send_to("a", other.address(), MSG_MORE), 1);
    EXPECT_EQ(s.send("b", MSG_MORE), 1);
    EXPECT_TRUE(other.empty());
    EXPECT_EQ(s.send("c"), 1);
    EXPECT_EQ(other.next(), "abc");
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.sends, 0u);

    // corked for a destination of its own, and then released
    ASSERT_EQ(s.option(SOL_UDP, UDP_CORK, 1), 0);
    EXPECT_EQ(s.send_to("d", other.address()), 1);
    EXPECT_EQ(s.send("e"), 1);
    ASSERT_EQ(s.option(SOL_UDP, UDP_CORK, 0), 0);
    EXPECT_EQ(other.next(), "de");
    expect_none(rs);

    EXPECT_EQ(s.send("group"), 5);
    expect_each(rs, "group");
    EXPECT_TRUE(other.empty());
}

} // namespace
} // namespace selftest
