// SPDX-License-Identifier: GPL-2.0-only
// Groups of AF_INET6 sockets: members by IPv6, by IPv4, and by mapped addresses.

#include "ip6.hpp"
#include "slow.hpp"
#include "tomoyo.hpp"

namespace selftest {
namespace {

TEST_F(Ip6, ReachesMembersOfBothFamilies)
{
    Receiver6 six(ip6("::1", 0)), other(ip6("::1", 0));
    Receiver four, by_map;
    Sender s(AF_INET6);
    Packed all;
    all.add(six.address()).add(four.address()).add(mapped(by_map.address())).add(other.address());
    ASSERT_EQ(set(s, SO_SETGRP, all), 0);
    EXPECT_EQ(members(s), all.bytes());
    for (const std::string &data :
         {std::string(), std::string("hello"), std::string(1400, 'a'), std::string(40000, 'b')}) {
        EXPECT_EQ(s.send(data), static_cast<long>(data.size()));
        EXPECT_TRUE(six.next() == data);
        EXPECT_TRUE(four.next() == data);
        EXPECT_TRUE(by_map.next() == data);
        EXPECT_TRUE(other.next() == data);
    }
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.members, 4u);
    EXPECT_EQ(stat.totals.sent, 16u);
    EXPECT_EQ(stat.members[1].addr.family, AF_INET);
    EXPECT_EQ(stat.members[2].addr.family, AF_INET6);
}

TEST_F(Ip6, JoinLeaveAndSkip)
{
    Receiver6 a(ip6("::1", 0)), b(ip6("::1", 0)), c(ip6("::1", 0));
    Sender s(AF_INET6);
    ASSERT_EQ(set(s, SO_ADDGRP, Packed().add(a.address()).add(b.address())), 0);
    ASSERT_EQ(set(s, SO_ADDGRP, Packed().add(c.address())), 0);
    ASSERT_EQ(set(s, SO_DELGRP, Packed().add(a.address())), 0);
    EXPECT_EQ(s.send("x"), 1);
    EXPECT_EQ(b.next(), "x");
    EXPECT_EQ(c.next(), "x");
    EXPECT_TRUE(a.empty());

    const auto &skip = b.address();
    Message m("y", Control().add_raw(SOL_UDP, UDP_GRP_SKIP, &skip, sizeof(skip)));
    EXPECT_EQ(m.send(s), 1);
    EXPECT_EQ(c.next(), "y");
    EXPECT_TRUE(b.empty());
}

// An address and its mapped one are the same.
TEST_F(Ip6, MappedIsTheSame)
{
    auto four = address("10.0.0.1", 9);
    Sender s(AF_INET6);
    EXPECT_EQ(set(s, SO_SETGRP, Packed().add(four).add(mapped(four))), -EADDRINUSE);
    ASSERT_EQ(set(s, SO_SETGRP, Packed().add(four).add(ip6("fd00::1", 9))), 0);
    EXPECT_EQ(set(s, SO_ADDGRP, Packed().add(mapped(four))), -EADDRINUSE);
    EXPECT_EQ(set(s, SO_DELGRP, Packed().add(mapped(four))), 0);
    EXPECT_EQ(members(s), Packed().add(ip6("fd00::1", 9)).bytes());
}

TEST_F(Ip6, Refusals)
{
    Sender s(AF_INET6), four;
    ASSERT_EQ(set(s, SO_SETGRP, Packed().add(ip6("fd00::1", 9))), 0);
    EXPECT_EQ(set(s, SO_SETGRP, Packed().add(ip6("fd00::1", 0))), -EINVAL);
    EXPECT_EQ(set(s, SO_ADDGRP, Packed().add(ip6("fd00::1", 9))), -EADDRINUSE);
    EXPECT_EQ(set(s, SO_DELGRP, Packed().add(ip6("fd00::2", 9))), -EADDRNOTAVAIL);
    // the scope of an address that needs none is no part of it
    EXPECT_EQ(set(s, SO_ADDGRP, Packed().add(ip6("fd00::1", 9, 7))), -EADDRINUSE);
    EXPECT_EQ(set(s, SO_ADDGRP, Packed().add(ip6("fe80::1", 9, 7)).add(ip6("fe80::1", 9, 8))), 0);
    EXPECT_EQ(set(four, SO_SETGRP, Packed().add(ip6("fd00::1", 9))), -EAFNOSUPPORT);
    auto whole = Packed().add(ip6("fd00::3", 9)).bytes();
    for (size_t len = 1; len < whole.size(); len++)
        EXPECT_EQ(result(setsockopt(s.fd(), SOL_SOCKET, SO_ADDGRP, whole.data(),
                                    static_cast<socklen_t>(len))),
                  -EINVAL)
            << len;
    auto to = ip6("::1", 9);
    EXPECT_EQ(result(connect(s.fd(), reinterpret_cast<sockaddr *>(&to), sizeof(to))), -EISCONN);
    EXPECT_EQ(s.stat().totals.members, 3u);
}

// A socket that is for IPv6 only says so as sendto() does, for each member.
TEST_F(Ip6, V6OnlySocket)
{
    Receiver6 six(ip6("::1", 0));
    Receiver four;
    Sender s(AF_INET6);
    ASSERT_EQ(set(s, SO_SETGRP, Packed().add(four.address()).add(six.address())), 0);
    EXPECT_EQ(s.send("x"), 1);
    EXPECT_EQ(four.next(), "x");
    EXPECT_EQ(six.next(), "x");
    ASSERT_EQ(s.option(IPPROTO_IPV6, IPV6_V6ONLY, 1), -EINVAL); // bound by now
    Sender only(AF_INET6);
    ASSERT_EQ(only.option(IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    ASSERT_EQ(set(only, SO_SETGRP, Packed().add(four.address()).add(six.address())), 0);
    EXPECT_EQ(only.send("y"), 1);
    EXPECT_EQ(six.next(), "y");
    EXPECT_TRUE(four.empty());
    EXPECT_EQ(only.stat().members[0].error, ENETUNREACH);
}

// The errors of dead members are theirs, and fail no send.
TEST_F(Ip6, DeadMembers)
{
    Receiver6 alive(ip6("::1", 0)), dead(ip6("::1", 0));
    Receiver dead4;
    Sender s(AF_INET6);
    ASSERT_EQ(set(s, SO_SETGRP,
                  Packed().add(dead.address()).add(alive.address()).add(mapped(dead4.address()))),
              0);
    dead.close();
    dead4.close();
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(s.send("x"), 1);
        EXPECT_EQ(alive.next(), "x");
    }
    EXPECT_EQ(s.error(), 0);
    EXPECT_TRUE(eventually([&] {
        auto stat = s.stat();
        return stat.members[0].icmp && stat.members[2].icmp;
    }));
    auto stat = s.stat();
    EXPECT_GE(stat.members[0].icmp, 1u);
    EXPECT_EQ(stat.members[0].error, ECONNREFUSED);
    EXPECT_EQ(stat.members[1].icmp, 0u);
    EXPECT_GE(stat.members[2].icmp, 1u);
    EXPECT_EQ(stat.members[2].error, ECONNREFUSED);
    EXPECT_EQ(stat.totals.sent, 9u);

    ASSERT_EQ(s.option(IPPROTO_IPV6, IPV6_RECVERR, 1), 0);
    EXPECT_EQ(s.send("x"), 1);
    EXPECT_EQ(alive.next(), "x");
    pollfd p{.fd = s.fd(), .events = 0, .revents = 0};
    ASSERT_EQ(poll(&p, 1, patience), 1);
    sockaddr_in6 who{};
    char data[16], control[512];
    iovec iov{data, sizeof(data)};
    msghdr msg{};
    msg.msg_name = &who;
    msg.msg_namelen = sizeof(who);
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control;
    msg.msg_controllen = sizeof(control);
    ASSERT_EQ(recvmsg(s.fd(), &msg, MSG_ERRQUEUE), 1);
    EXPECT_EQ(who.sin6_port, dead.address().sin6_port);
}

// Whoever reads one of several errors from the queue must not fail the next send
// by what is left in it.
TEST_F(Ip6, ReadingTheErrorQueueFailsNobody)
{
    Receiver6 alive(ip6("::1", 0));
    Packed members;
    for (int i = 0; i < 3; i++)
        members.add(Receiver6(ip6("::1", 0)).address()); // nobody is there any more
    members.add(alive.address());
    Sender s(AF_INET6);
    ASSERT_EQ(s.option(IPPROTO_IPV6, IPV6_RECVERR, 1), 0);
    ASSERT_EQ(set(s, SO_SETGRP, members), 0);
    int read = 0;
    for (int sends = 1; sends <= 5; sends++) {
        EXPECT_EQ(s.send("x"), 1);
        EXPECT_EQ(alive.next(), "x");
        read += queued_error(s.fd(), patience).has_value();
    }
    EXPECT_EQ(read, 5);
    auto totals = s.stat().totals;
    EXPECT_EQ(totals.failed, 0u);
    EXPECT_EQ(totals.sent, 20u);
}

// The security module is asked about each member, with the whole of its address.
TEST_F(Ip6, SecurityModule)
{
    run("ip addr add fd00::5/128 dev lo");
    Receiver6 may(ip6("::1", 0)), may_not(ip6("fd00::5", 0));
    Receiver four;
    Sender s(AF_INET6);
    ASSERT_EQ(set(s, SO_SETGRP,
                  Packed().add(may_not.address()).add(may.address()).add(mapped(four.address()))),
              0);
    fflush(nullptr);
    const pid_t pid = fork();
    if (pid == 0) {
        try {
            enter_domain("::1 ::ffff:127.0.0.1");
            for (int i = 0; i < 3; i++)
                EXPECT_EQ(s.send("x"), 1);
        } catch (const std::exception &e) {
            ADD_FAILURE() << e.what();
        }
        fflush(nullptr);
        _exit(HasFailure());
    }
    int status = -1;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(may.next(), "x");
        EXPECT_EQ(four.next(), "x");
    }
    EXPECT_TRUE(may_not.empty());
    auto stat = s.stat();
    EXPECT_EQ(stat.members[0].error, EPERM);
    EXPECT_EQ(stat.members[0].failed, 3u);
    EXPECT_EQ(stat.totals.sent, 6u);
}

// What is wrong with one member is counted there, and queued with its address.
TEST_F(Ip6, NoRoute)
{
    Receiver6 alive(ip6("::1", 0));
    Sender s(AF_INET6);
    ASSERT_EQ(set(s, SO_SETGRP, Packed().add(ip6("2001:db8::1", 9)).add(alive.address())), 0);
    EXPECT_EQ(s.send("x"), 1);
    EXPECT_EQ(alive.next(), "x");
    auto stat = s.stat();
    EXPECT_EQ(stat.members[0].error, ENETUNREACH);
    EXPECT_EQ(stat.members[0].failed, 1u);
    EXPECT_EQ(stat.totals.sent, 1u);
}

// Control messages of IPv6 are for members by IPv6; what is wrong for them fails
// them alone.
TEST_F(Ip6, ControlMessages)
{
    Receiver6 six(ip6("::1", 0));
    Receiver four;
    Sender s(AF_INET6);
    int on = 1;
    setsockopt(six.fd(), IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on));
    setsockopt(six.fd(), IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on));
    ASSERT_EQ(set(s, SO_SETGRP, Packed().add(six.address()).add(four.address())), 0);

    Message m("x",
              Control().add(IPPROTO_IPV6, IPV6_TCLASS, 0x28).add(IPPROTO_IPV6, IPV6_HOPLIMIT, 7));
    ASSERT_EQ(m.send(s), 1);
    char data[16], control[256];
    iovec iov{data, sizeof(data)};
    msghdr msg{};
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control;
    msg.msg_controllen = sizeof(control);
    ASSERT_EQ(recvmsg(six.fd(), &msg, 0), 1);
    int tclass = -1, hops = -1;
    for (cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_type == IPV6_TCLASS)
            memcpy(&tclass, CMSG_DATA(c), sizeof(tclass));
        if (c->cmsg_type == IPV6_HOPLIMIT)
            memcpy(&hops, CMSG_DATA(c), sizeof(hops));
    }
    EXPECT_EQ(tclass, 0x28);
    EXPECT_EQ(hops, 7);
    EXPECT_EQ(four.next(), "x");

    // a source that no IPv4 datagram can have
    in6_pktinfo info{};
    info.ipi6_addr = in6addr_loopback;
    Message from("y", Control().add(IPPROTO_IPV6, IPV6_PKTINFO, info));
    ASSERT_EQ(from.send(s), 1);
    EXPECT_EQ(six.next(), "y");
    EXPECT_TRUE(four.empty());
    EXPECT_EQ(s.stat().members[1].error, EINVAL);

    Message wrong("z",
                  Control().add(IPPROTO_IPV6, IPV6_HOPLIMIT, 256).add(SOL_UDP, UDP_SEGMENT, 1));
    EXPECT_EQ(wrong.send(s), -EINVAL);
    EXPECT_TRUE(six.empty());
}

// A message that is wrong for one family fails the send if there are no others.
TEST_F(Ip6, ControlMessagesThatAreGoodForNobody)
{
    Receiver6 six(ip6("::1", 0));
    Receiver four;
    auto both = Packed().add(six.address()).add(four.address());
    Message hops("x", Control().add(IPPROTO_IPV6, IPV6_HOPLIMIT, 256)); // wrong for IPv6
    in6_pktinfo info{};
    info.ipi6_addr = in6addr_loopback;
    Message from("y", Control().add(IPPROTO_IPV6, IPV6_PKTINFO, info)); // for IPv4
    Sender s(AF_INET6);

    ASSERT_EQ(set(s, SO_SETGRP, Packed().add(six.address())), 0);
    EXPECT_EQ(hops.send(s), -EINVAL);
    EXPECT_EQ(from.send(s), 1);
    EXPECT_EQ(six.next(), "y");
    ASSERT_EQ(set(s, SO_ADDGRP, Packed().add(four.address())), 0);
    ASSERT_EQ(set(s, SO_DELGRP, Packed().add(six.address())), 0);
    EXPECT_EQ(from.send(s), -EINVAL);
    EXPECT_EQ(s.send("z"), 1);
    EXPECT_EQ(four.next(), "z");
    ASSERT_EQ(set(s, SO_SETGRP, both), 0);
    EXPECT_EQ(from.send(s), 1);
    EXPECT_EQ(six.next(), "y");
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.failed, 1u); // the IPv4 member of the last send
    EXPECT_EQ(stat.members[1].error, EINVAL);
    EXPECT_TRUE(four.empty());
    EXPECT_TRUE(six.empty());
}

// Headers are longer and fragments come sooner than with IPv4.
TEST_F(Ip6, NonBlockingNeverStartsInVain)
{
    run("ip link add slow type dummy; ip link set slow addrgenmode none up; "
        "ip addr add fd00::1/64 dev slow nodad");
    run("tc qdisc add dev slow root tbf rate 1kbit burst 1600 limit 100000000");
    Packed members;
    for (int i = 2; i < 12; i++)
        members.add(ip6(("fd00::" + std::to_string(i)).c_str(), 9));
    auto expect = [&](size_t len, int more) {
        Sender s(AF_INET6);
        ASSERT_EQ(set(s, SO_SETGRP, members), 0);
        expect_all_or_none(s, 10, len, more);
    };
    for (size_t len : {0,   1,   100,  200,  220,  240,  260,  300,  340,  360,   380,
                       700, 900, 1400, 1432, 1452, 1453, 1473, 2500, 4000, 10000, 60000})
        expect(len, 0);
    // one datagram by IPv4 and two fragments by IPv6, with all that can be left over
    for (int more = 0; more < 18000; more += 2000)
        expect(1472, more);
    run("ip link del slow"); // see SlowDevice
}

} // namespace
} // namespace selftest
