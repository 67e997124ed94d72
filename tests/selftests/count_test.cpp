// SPDX-License-Identifier: GPL-2.0-only
// GRP_F_COUNT: a send says how many slots it passed, and the next goes on there.
// Nobody gets a datagram twice and nobody is left out, whatever stops a send.

#include "churn.hpp"
#include "slow.hpp"

#include <random>

namespace selftest {
namespace {

class Count : public SlowDevice, public testing::WithParamInterface<Way> {
protected:
    Control control() const { return GetParam().control; }
    long send(const Sender &s, const Control &control, int flags = 0) const
    {
        return Message(hundred, control).send(s, GetParam().flags | flags);
    }
    long send_from(const Sender &s, uint32_t first, int flags = 0) const
    {
        return send(s, control().range(first, 0), flags);
    }
    // A device so many times slower than these sends.
    double slower(double times, double most = 1e5) const
    {
        auto this_way = [this](const Sender &s) { return send(s, control()); };
        return slower_device(times, this_way, most);
    }
};

INSTANTIATE_TEST_SUITE_P(By, Count, testing::ValuesIn(ways()),
                         [](const auto &way) { return way.param.name; });

void expect_once(const std::vector<std::string> &packets, const std::vector<sockaddr_in> &addrs)
{
    auto n = destinations(packets);
    EXPECT_EQ(packets.size(), addrs.size());
    for (const auto &a : addrs)
        EXPECT_EQ(n[ntohl(a.sin_addr.s_addr)], 1) << inet_ntoa(a.sin_addr);
}

void await_room(const Sender &s)
{
    pollfd p{.fd = s.fd(), .events = POLLOUT, .revents = 0};
    ASSERT_EQ(poll(&p, 1, patience), 1);
    ASSERT_EQ(p.revents, POLLOUT);
}

TEST_P(Count, SlotsAndNotBytes)
{
    std::vector<Receiver> rs(4);
    auto a = addresses(rs);
    a.insert(a.begin() + 1, address("10.77.0.1", 9)); // fails
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    ASSERT_EQ(s.leave({&a[3], 1}), 0); // the third of the receivers
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    EXPECT_EQ(send(s, control()), 5);
    EXPECT_EQ(send(s, control().skip({&a[4], 1})), 5);
    EXPECT_EQ(send(s, control().range(1, 3)), 3);
    EXPECT_EQ(send(s, control().range(3, 1)), 1); // a hole
    EXPECT_EQ(send(s, control().range(1, 1)), 1); // a failure
    EXPECT_EQ(send(s, control().range(5, 0)), 0);
    EXPECT_EQ(Message("", control()).send(s, GetParam().flags), 5);
    // a destination of its own is none of the group's business
    EXPECT_EQ(s.send_to(hundred, a[0]), 100);
    auto t = s.stat().totals;
    EXPECT_EQ(t.sends, 6u);
    EXPECT_EQ(t.sent, 3u + 2 + 1 + 3);
    EXPECT_EQ(t.failed, 5u);
    EXPECT_EQ(t.skipped, 1u);
    EXPECT_EQ(t.holes, 5u);
    EXPECT_EQ(t.unreached, 0u);
    ASSERT_EQ(s.set({}), 0);
    EXPECT_EQ(send(s, control()), -EDESTADDRREQ);
}

TEST_P(Count, GoesOnWhereThereWasNoRoom)
{
    constexpr uint32_t slots = 100;
    slower(20);
    Capture wire("slow");
    auto a = many(0x0a090002, slots);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 15000), 0);
    ASSERT_EQ(s.set(a), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    uint64_t sends = 0, full = 0;
    for (int round = 0; round < 2; round++) {
        for (uint32_t first = 0; first < slots;) {
            auto before = s.stat();
            long n = send_from(s, first, MSG_DONTWAIT);
            auto after = s.stat();
            if (n == -EAGAIN) {
                // nobody was passed, and it does not count
                ASSERT_EQ(memcmp(&after.totals, &before.totals, sizeof(after.totals)), 0);
                full++;
                await_room(s);
                continue;
            }
            ASSERT_GT(n, 0);
            ASSERT_LE(n, static_cast<long>(slots - first));
            ASSERT_EQ(after.totals.sent - before.totals.sent, static_cast<uint64_t>(n));
            first += static_cast<uint32_t>(n);
            sends++;
        }
        expect_once(wire.wait(slots), a);
    }
    EXPECT_GT(sends, 3u);
    EXPECT_GT(full, 1u);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, sends);
    EXPECT_EQ(stat.totals.sent, uint64_t{2} * slots);
    EXPECT_EQ(stat.totals.unreached + stat.totals.failed, 0u);
    for (const auto &m : stat.members)
        EXPECT_EQ(m.sent, 2u);
}

// Room comes back at any moment, also between the look at a full buffer and what
// follows from it. Who was not sent to for want of room has not failed.
TEST_P(Count, AFullBufferIsNobodysFailure)
{
    constexpr uint32_t slots = 50;
    slower(4);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 5000), 0);
    ASSERT_EQ(s.set(many(0x0a090002, slots)), 0);
    uint64_t full = 0;
    for (uint32_t flags : {GRP_F_COUNT, 0u}) {
        ASSERT_EQ(s.set_flags(flags), 0);
        // the machine may have become slower since it was measured
        const uint64_t enough = full + 30;
        for (int round = 0; round < 12 || (full < enough && round < 200); round++) {
            for (uint32_t first = 0; first < slots;) {
                long n = send_from(s, first, MSG_DONTWAIT);
                if (n == -EAGAIN) {
                    full++;
                    continue;
                }
                ASSERT_GT(n, 0);
                first += flags ? static_cast<uint32_t>(n) : slots;
            }
        }
    }
    EXPECT_GT(full, 50u);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.failed, 0u);
    for (const auto &m : stat.members)
        EXPECT_EQ(m.error, 0) << m.slot;
}

// It starts with any room at all, unlike a send that does not count.
TEST_P(Count, StartsWithRoomForOne)
{
    stuck_device();
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(many(0x0a090002, 20)), 0);
    ASSERT_EQ(send(s, control(), MSG_DONTWAIT), 100);
    ASSERT_EQ(send(s, control(), MSG_DONTWAIT), -EAGAIN);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    uint32_t first = 0;
    long n = 0;
    while ((n = send_from(s, first, MSG_DONTWAIT)) > 0)
        first += static_cast<uint32_t>(n);
    EXPECT_EQ(n, -EAGAIN);
    EXPECT_GT(first, 0u);
    EXPECT_LT(first, 20u);
    EXPECT_EQ(s.stat().totals.sent, 20u + first);
    EXPECT_EQ(s.stat().totals.unreached, 0u);
    // what needs no room is passed without
    auto a = s.members();
    EXPECT_EQ(send(s, control().skip(a), MSG_DONTWAIT), 20);
    EXPECT_EQ(send(s, control().skip({&a[0], 1}), MSG_DONTWAIT), 1);
    EXPECT_EQ(s.stat().totals.skipped, 21u);
}

// A descriptor that does not block is one flag, and a write() a send.
TEST_P(Count, ADescriptorThatDoesNotBlock)
{
    stuck_device();
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(many(0x0a090002, 50)), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    ASSERT_EQ(fcntl(s.fd(), F_SETFL, O_NONBLOCK), 0);
    long n = result(write(s.fd(), hundred.data(), hundred.size()));
    EXPECT_GT(n, 4);
    EXPECT_LT(n, 50);
    EXPECT_EQ(s.stat().totals.sent, static_cast<uint64_t>(n));
    EXPECT_EQ(send_from(s, static_cast<uint32_t>(n)), -EAGAIN);
    EXPECT_EQ(s.stat().totals.unreached, 0u);
}

TEST_P(Count, GoesOnAfterATimeout)
{
    constexpr uint32_t slots = 120;
    const double rate = slower(10, 200);
    Capture wire("slow");
    auto a = many(0x0a090002, slots);
    Sender s;
    set_send_timeout(s, 20 / rate);
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(a), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    int sends = 0;
    for (uint32_t first = 0; first < slots; sends++) {
        long n = send_from(s, first);
        if (n == -EAGAIN)
            continue;
        ASSERT_GT(n, 0);
        first += static_cast<uint32_t>(n);
    }
    EXPECT_GT(sends, 2);
    expect_once(wire.wait(slots), a);
    EXPECT_EQ(s.stat().totals.sent, slots);
    EXPECT_EQ(s.stat().totals.unreached, 0u);
}

TEST_P(Count, GoesOnAfterASignal)
{
    constexpr uint32_t slots = 150;
    const double rate = slower(10, 200);
    Capture wire("slow");
    auto a = many(0x0a090002, slots);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(a), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    catch_signal();
    std::atomic<bool> done = false;
    std::thread interrupt([&, self = pthread_self()] {
        for (; !done; std::this_thread::sleep_for(std::chrono::duration<double>(6 / rate)))
            pthread_kill(self, SIGUSR1);
    });
    int sends = 0, interrupted = 0;
    for (uint32_t first = 0; first < slots; sends++) {
        long n = send_from(s, first);
        if (n == -EINTR) {
            interrupted++;
            continue;
        }
        EXPECT_GT(n, 0);
        if (n <= 0)
            break;
        first += static_cast<uint32_t>(n);
    }
    done = true;
    interrupt.join();
    EXPECT_GT(sends, 3) << "of these " << interrupted << " without a result";
    expect_once(wire.wait(slots), a);
    EXPECT_EQ(s.stat().totals.sent, slots);
    EXPECT_EQ(s.stat().totals.unreached, 0u);
}

// Slots are for life: who goes on by their number meets everyone who was there
// all the time, once, though others come and go beside them.
TEST_P(Count, GoesOnWhileMembersComeAndGo)
{
    constexpr uint32_t stay = 150;
    slower(4);
    Capture wire("slow");
    auto a = many(0x0a090002, stay), others = many(0x0a091002, stay);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 15000), 0);
    ASSERT_EQ(change(s, SO_SETGRP, in_turns(generic(a), generic(others))), 0);
    ASSERT_EQ(s.leave(others), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    std::optional<Churn> churn(std::in_place, s, generic(others));
    uint64_t passed = 0;
    for (int round = 0; round < 3; round++) {
        for (uint32_t first = 0;;) {
            long n = send_from(s, first, MSG_DONTWAIT);
            if (n == 0)
                break;
            if (n == -EAGAIN) {
                await_room(s);
                continue;
            }
            EXPECT_GT(n, 0);
            if (n < 0)
                break;
            first += static_cast<uint32_t>(n);
            passed += static_cast<uint64_t>(n);
        }
        auto sent = s.stat().totals.sent;
        EXPECT_GE(sent, stay);
    }
    churn.reset();
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sent + stat.totals.holes, passed);
    EXPECT_EQ(stat.totals.failed + stat.totals.skipped + stat.totals.unreached, 0u);
    for (const auto &m : stat.members)
        EXPECT_EQ(m.error, 0) << inet_ntoa(m.addr.in.sin_addr);
    auto n = destinations(wire.wait(stat.totals.sent));
    for (const auto &addr : a)
        EXPECT_EQ(n[ntohl(addr.sin_addr.s_addr)], 3) << inet_ntoa(addr.sin_addr);
}

// Whatever becomes of a datagram, each slot passed is counted once, and so is
// each member that a send was for.
TEST_P(Count, NothingIsLostOrCountedTwice)
{
    run("ip link add d8 type dummy; ip link set d8 up; ip addr add 10.8.0.1/24 dev d8");
    run("ip link add d9 type dummy; ip link set d9 up; ip addr add 10.9.0.1/24 dev d9");
    run("tc qdisc add dev d9 root tbf rate 8kbit burst 90 limit 1"); // takes nothing
    auto good = many(0x0a080002, 60), dropped = many(0x0a090002, 40), lost = many(0x0a4d0001, 40);
    std::vector<sockaddr_in> a;
    for (size_t i = 0; i < 60; i++) {
        a.push_back(good[i]);
        if (i < 40) {
            a.push_back(dropped[i]);
            a.push_back(lost[i]);
        }
    }
    a.push_back(address("10.8.0.255", 9)); // without SO_BROADCAST
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    std::mt19937 random(5);
    std::vector<sockaddr_in> leave;
    for (const auto &addr : a)
        if (random() % 5 == 0)
            leave.push_back(addr);
    ASSERT_EQ(s.leave(leave), 0);
    // what must become of each
    auto errors = [&](const sockaddr_in &addr) {
        uint32_t ip = ntohl(addr.sin_addr.s_addr);
        return ip == 0x0a0800ff     ? EACCES
               : ip >> 16 == 0x0a09 ? ENOBUFS
               : ip >> 16 == 0x0a08 ? 0
                                    : ENETUNREACH;
    };
    const auto slots = s.stat().totals.slots;
    for (int i = 0; i < 200; i++) {
        bool counts = i % 2;
        ASSERT_EQ(s.set_flags(counts ? GRP_F_COUNT : 0), 0);
        auto c = control();
        std::vector<sockaddr_in> skip;
        uint32_t first = 0, end = slots;
        if (random() % 4) {
            first = static_cast<uint32_t>(random() % slots);
            auto count = static_cast<uint32_t>(random() % slots);
            end = count ? std::min(slots, first + count) : slots;
            c.range(first, count);
        }
        if (random() % 2) {
            for (const auto &addr : a)
                if (random() % 9 == 0)
                    skip.push_back(addr);
            c.skip(skip);
        }
        auto before = s.stat();
        ASSERT_EQ(send(s, c), counts ? static_cast<long>(end - first) : 100);
        auto after = s.stat();
        const auto &t = after.totals, &b = before.totals;
        uint64_t sent = 0, failed = 0, skipped = 0, members = 0;
        for (size_t m = 0; m < after.members.size(); m++) {
            const auto &now = after.members[m], &was = before.members[m];
            bool in = now.slot >= first && now.slot < end;
            bool left_out = in && std::find(skip.begin(), skip.end(), now.addr.in) != skip.end();
            int err = errors(now.addr.in);
            ASSERT_EQ(now.skipped - was.skipped, left_out);
            ASSERT_EQ(now.sent - was.sent, in && !left_out && !err)
                << inet_ntoa(now.addr.in.sin_addr);
            ASSERT_EQ(now.failed - was.failed, in && !left_out && err);
            if (now.failed) {
                ASSERT_EQ(now.error, err);
            }
            members += in;
            sent += now.sent - was.sent;
            failed += now.failed - was.failed;
            skipped += now.skipped - was.skipped;
        }
        ASSERT_EQ(t.sent - b.sent, sent);
        ASSERT_EQ(t.failed - b.failed, failed);
        ASSERT_EQ(t.skipped - b.skipped, skipped);
        ASSERT_EQ(sent + failed + skipped, members);
        ASSERT_EQ(t.holes - b.holes, end - first - members);
        ASSERT_EQ(t.unreached, 0u);
    }
}

// A send that does not count tells of those in its range that it did not reach.
TEST_P(Count, UnreachedAreThoseOfTheRange)
{
    stuck_device();
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    auto a = many(0x0a090002, 200);
    ASSERT_EQ(s.set(a), 0);
    ASSERT_EQ(s.leave(std::span(a).subspan(150, 10)), 0);
    // the buffer is empty, so it starts
    EXPECT_EQ(send(s, control().range(20, 170).skip(std::span(a).subspan(25, 2)), MSG_DONTWAIT),
              100);
    auto t = s.stat().totals;
    EXPECT_GT(t.sent, 5u);
    EXPECT_GT(t.unreached, 100u);
    EXPECT_EQ(t.skipped, 2u);
    EXPECT_EQ(t.holes, 0u);
    EXPECT_EQ(t.failed, 0u);
    EXPECT_EQ(t.sent + t.skipped + t.unreached, 160u);
    for (const auto &m : s.stat().members)
        EXPECT_EQ(m.sent, m.slot >= 20 && m.slot < 22 + t.sent && m.slot != 25 && m.slot != 26);
}

} // namespace
} // namespace selftest
