// SPDX-License-Identifier: GPL-2.0-only
// A member that fails harms no other, and no loss is silent: what became of
// each one, while routes, devices, peers and namespaces go away.

#include "support.hpp"

#include <atomic>
#include <chrono>
#include <thread>

namespace selftest {
namespace {

using namespace std::chrono_literals;

class Outcome : public InNamespace {};

TEST_F(Outcome, AMemberWithoutARoute)
{
    std::vector<Receiver> rs(3);
    auto addrs = addresses(rs);
    addrs.insert(addrs.begin() + 1, address("10.77.0.1", 9));
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    EXPECT_EQ(s.send_to("x", addrs[1]), -ENETUNREACH);
    EXPECT_EQ(s.send("x"), 1);
    for (auto &r : rs)
        EXPECT_EQ(r.next(), "x");
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sent, 3u);
    EXPECT_EQ(stat.totals.failed, 1u);
    EXPECT_EQ(stat.members[1].failed, 1u);
    EXPECT_EQ(stat.members[1].error, ENETUNREACH);
    EXPECT_EQ(stat.members[0].error, 0);
}

TEST_F(Outcome, AllMembersWithoutARoute)
{
    Sender s;
    ASSERT_EQ(s.set(many(0x0a4d0001, 5)), 0);
    EXPECT_EQ(s.send("data"), 4); // every slot was passed
    EXPECT_EQ(s.stat().totals.failed, 5u);
}

TEST_F(Outcome, ABroadcastMemberNeedsTheOption)
{
    run("ip link add d0 type dummy; ip link set d0 up; ip addr add 10.8.0.1/24 dev d0");
    std::vector<sockaddr_in> addrs{address("10.8.0.255", 9), address("10.8.0.2", 9)};
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    EXPECT_EQ(s.send("x"), 1);
    auto stat = s.stat();
    EXPECT_EQ(stat.members[0].error, EACCES);
    EXPECT_EQ(stat.members[0].failed, 1u);
    EXPECT_EQ(stat.members[1].sent, 1u);
    ASSERT_EQ(s.option(SOL_SOCKET, SO_BROADCAST, 1), 0);
    EXPECT_EQ(s.send("x"), 1);
    EXPECT_EQ(s.stat().members[0].sent, 1u);
}

TEST_F(Outcome, ADeadPeerFailsNobodyElse)
{
    std::vector<Receiver> rs(3);
    auto addrs = addresses(rs);
    rs[1].close();
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(s.send("x"), 1);
    for (int i = 0; i < 5; i++) {
        EXPECT_EQ(rs[0].next(), "x");
        EXPECT_EQ(rs[2].next(), "x");
    }
    EXPECT_EQ(s.error(), 0);
    EXPECT_TRUE(eventually([&] { return s.stat().totals.icmp > 0; }));
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sent, 15u);
    EXPECT_EQ(stat.totals.failed, 0u);
    EXPECT_EQ(stat.totals.icmp, stat.members[1].icmp);
    EXPECT_GE(stat.members[1].icmp, 1u);
    EXPECT_EQ(stat.members[1].error, ECONNREFUSED);
    EXPECT_EQ(stat.members[0].icmp + stat.members[2].icmp, 0u);
    EXPECT_EQ(stat.members[0].error, 0);
}

TEST_F(Outcome, TheErrorQueueTellsOfMembers)
{
    std::vector<Receiver> rs(2);
    auto addrs = addresses(rs);
    rs[0].close();
    addrs.push_back(address("10.77.0.1", 9));
    Sender s;
    ASSERT_EQ(s.option(SOL_IP, IP_RECVERR, 1), 0);
    ASSERT_EQ(s.set(addrs), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(s.send("x"), 1);
    bool icmp = false, local = false;
    while (auto e = queued_error(s.fd(), icmp && local ? 0 : patience)) {
        if (e->err.ee_origin == SO_EE_ORIGIN_ICMP) {
            EXPECT_EQ(e->err.ee_errno, static_cast<unsigned>(ECONNREFUSED));
            EXPECT_EQ(e->who, addrs[0]);
            icmp = true;
        } else {
            EXPECT_EQ(e->err.ee_origin, SO_EE_ORIGIN_LOCAL);
            EXPECT_EQ(e->err.ee_errno, static_cast<unsigned>(ENETUNREACH));
            EXPECT_EQ(e->who, addrs[2]);
            local = true;
        }
    }
    EXPECT_TRUE(icmp);
    EXPECT_TRUE(local);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(rs[1].next(), "x");
    EXPECT_EQ(s.stat().totals.sent, 6u);
}

// Whoever reads one of several errors from the queue must not fail the next
// send by what is left in it.
TEST_F(Outcome, ReadingTheErrorQueueFailsNobody)
{
    std::vector<Receiver> rs(4);
    auto addrs = addresses(rs);
    rs[0].close();
    rs[1].close();
    rs[3].close();
    Sender s;
    ASSERT_EQ(s.option(SOL_IP, IP_RECVERR, 1), 0);
    ASSERT_EQ(s.set(addrs), 0);
    uint64_t sends = 0;
    int read = 0;
    for (; sends < 5; sends++) {
        EXPECT_EQ(s.send("x"), 1);
        read += queued_error(s.fd(), patience).has_value();
    }
    EXPECT_GE(read, 3);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.failed, 0u);
    EXPECT_EQ(stat.totals.sent, 4 * sends);
    for (uint64_t i = 0; i < sends; i++)
        EXPECT_EQ(rs[2].next(), "x");
}

// The address of a member, but not of this group: a stranger's error.
TEST_F(Outcome, AStrangersErrorIsNobodys)
{
    Receiver r, gone;
    auto dead = gone.address();
    gone.close();
    Sender s;
    ASSERT_EQ(s.set({&r.address(), 1}), 0);
    EXPECT_EQ(s.send_to("x", dead), 1);
    EXPECT_TRUE(eventually([] { return unreachables() == 1; }));
    EXPECT_EQ(s.error(), 0);
    EXPECT_EQ(s.send("x"), 1);
    EXPECT_EQ(s.stat().totals.icmp, 0u);
}

TEST_F(Outcome, AnErrorForAReplacedMemberIsDropped)
{
    Receiver r, gone;
    auto dead = gone.address();
    gone.close();
    // the error comes back after twice that: long after the member was replaced
    run("tc qdisc add dev lo root netem delay 1s");
    Sender s;
    ASSERT_EQ(s.set({&dead, 1}), 0);
    EXPECT_EQ(s.send("x"), 1);
    ASSERT_EQ(s.set({&r.address(), 1}), 0);
    EXPECT_TRUE(eventually([] { return unreachables() == 1; }));
    EXPECT_EQ(s.error(), 0);
    EXPECT_EQ(s.stat().totals.icmp, 0u);
    EXPECT_EQ(s.stat().members[0].error, 0);
}

TEST_F(Outcome, AQueueThatDropsIsAFailure)
{
    run("ip link add d0 type dummy; ip link set d0 up; ip addr add 10.8.0.1/24 dev d0");
    run("tc qdisc add dev d0 root tbf rate 8kbit burst 200 limit 1");
    std::vector<Receiver> rs(2);
    auto addrs = addresses(rs);
    addrs.insert(addrs.begin(), address("10.8.0.2", 9));
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    std::string data(500, 'x');
    // what sendto() hides, as it always did
    EXPECT_EQ(s.send_to(data, addrs[0]), 500);
    EXPECT_EQ(s.send(data), 500);
    auto stat = s.stat();
    EXPECT_EQ(stat.members[0].failed, 1u);
    EXPECT_EQ(stat.members[0].error, ENOBUFS);
    EXPECT_EQ(stat.totals.sent, 2u);
    for (auto &r : rs)
        EXPECT_EQ(r.next(), data);
}

// Devices come and go while two threads send through them.
TEST_F(Outcome, AnInterfaceThatGoesAway)
{
    Receiver r;
    std::vector<sockaddr_in> addrs = many(0x0a080002, 20);
    addrs.push_back(r.address());
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    std::atomic<bool> done = false;
    std::atomic<uint64_t> sends = 0;
    std::vector<std::thread> senders;
    for (int t = 0; t < 2; t++)
        senders.emplace_back([&] {
            while (!done) {
                EXPECT_EQ(s.send("x"), 1);
                sends++;
            }
        });
    // so long that some sends begin and end
    auto sleep = [&](std::chrono::milliseconds least) {
        const uint64_t enough = sends + 6;
        std::this_thread::sleep_for(least);
        EXPECT_TRUE(eventually([&] { return sends >= enough; }));
    };
    for (int i = 0; i < 8; i++) {
        run("ip link add d0 type dummy; ip link set d0 up; ip addr add 10.8.0.1/24 dev d0");
        sleep(50ms);
        run("ip link del d0");
        sleep(20ms);
    }
    done = true;
    for (auto &t : senders)
        t.join();
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, sends.load());
    EXPECT_EQ(stat.totals.sent + stat.totals.failed, 21 * sends);
    EXPECT_EQ(stat.members[20].sent, sends.load());
    EXPECT_GT(stat.members[0].sent, 0u);
    EXPECT_GT(stat.members[0].failed, 0u);
}

// The namespace outlives its name only as long as the socket; then all goes.
TEST_F(Outcome, TheNamespaceGoesWithTheGroup)
{
    for (int i = 0; i < 5; i++) {
        auto inner = std::make_unique<NetNs>();
        run("ip link add d0 type dummy; ip link set d0 up; ip addr add 10.8.0.1/24 dev d0");
        auto s = std::make_unique<Sender>();
        ASSERT_EQ(s->set(many(0x0a080002, 50)), 0);
        EXPECT_EQ(s->send("x"), 1);
        ns.enter();
        inner.reset();
        EXPECT_EQ(s->send("x"), 1);
        EXPECT_EQ(s->stat().totals.sent, 100u);
        s.reset();
    }
}

TEST_F(Outcome, ClosedWhileDatagramsAreQueued)
{
    run("ip link add d0 type dummy; ip link set d0 up; ip addr add 10.8.0.1/24 dev d0");
    run("tc qdisc add dev d0 root netem delay 50ms");
    for (int i = 0; i < 20; i++) {
        Sender s;
        ASSERT_EQ(s.set(many(0x0a080002, 50)), 0);
        EXPECT_EQ(s.send("x"), 1);
    }
    std::this_thread::sleep_for(200ms);
}

// Set, read, send, look and close, each as fast as it goes, all at once.
TEST_F(Outcome, ThreadsDoEverythingAtOnce)
{
    Receiver r;
    std::atomic<bool> done = false;
    Sender s;
    auto addrs = many(0x7f000002, 64);
    ASSERT_EQ(s.set(addrs), 0);
    std::vector<std::thread> threads;
    auto loop = [&](auto what) {
        threads.emplace_back([&done, what] {
            while (!done)
                what();
        });
    };
    loop([&] { s.send("x"); });
    loop([&] { s.send("x", MSG_DONTWAIT); });
    loop([&] { s.send_to("x", r.address()); });
    loop([&] { s.set(addrs); });
    loop([&] { s.set({}); });
    loop([&] {
        char buf[4096];
        socklen_t len = sizeof(buf);
        getsockopt(s.fd(), SOL_SOCKET, SO_SETGRP, buf, &len);
    });
    loop([&] {
        char buf[4096] = {};
        udp_grpstat head{};
        head.size = sizeof(head);
        head.member_size = sizeof(udp_grpstat_member);
        memcpy(buf, &head, sizeof(head));
        socklen_t len = sizeof(buf);
        getsockopt(s.fd(), SOL_SOCKET, SO_GRPSTAT, buf, &len);
    });
    loop([&] {
        auto dest = reinterpret_cast<const sockaddr *>(&r.address());
        sockaddr unspec{};
        // either may be refused, at any time
        (void)connect(s.fd(), dest, sizeof(sockaddr_in));
        (void)connect(s.fd(), &unspec, sizeof(unspec));
    });
    loop([&] {
        Sender other;
        other.set(addrs);
        other.send("x");
    });
    std::this_thread::sleep_for(4s);
    EXPECT_TRUE(eventually([&] { return s.stat().totals.sent > 0; }));
    done = true;
    for (auto &t : threads)
        t.join();
    auto t = s.stat().totals;
    EXPECT_GT(t.sent, 0u);
    EXPECT_EQ(t.sent + t.failed + t.unreached, 64 * t.sends);
}

} // namespace
} // namespace selftest
