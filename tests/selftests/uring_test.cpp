// SPDX-License-Identifier: GPL-2.0-only
// io_uring sends to a group as any other caller does.

#include "churn.hpp"
#include "ring.hpp"
#include "slow.hpp"

namespace selftest {
namespace {

class IoUring : public SlowDevice {};

TEST_F(IoUring, ReachesEveryone)
{
    std::vector<Receiver> rs(4);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    Ring ring;
    const std::string data = pattern(3000);
    const long length = 3000;
    Message message(data, Control().add(SOL_IP, IP_TTL, 11));
    uint64_t sends = 0;
    for (const auto &op : operations(s, data, message)) {
        for (unsigned flags : {0u, static_cast<unsigned>(IOSQE_ASYNC)}) {
            SCOPED_TRACE(std::string(op.name) + (flags ? ", by a worker" : ""));
            // what is zero-copied is held until the receivers have it
            EXPECT_EQ(ring.complete([&](io_uring_sqe *sqe) {
                op.prepare(sqe);
                io_uring_sqe_set_flags(sqe, flags);
            }),
                      length);
            expect_each(rs, data);
            expect_none(rs);
            auto stat = s.stat();
            EXPECT_EQ(stat.totals.sends, ++sends);
            EXPECT_EQ(stat.totals.sent, 4 * sends);
        }
    }
}

// The first attempt does not wait and finds no room. io_uring tries again when
// there is some, and nobody gets the datagram twice.
TEST_F(IoUring, GoesOnWhenThereIsRoom)
{
    std::vector<Receiver> rs(8);
    Sender s;
    hold_datagrams(s);
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(addresses(rs)), 0);
    const std::string first = pattern(1000), other(900, '2');
    Ring ring;
    auto submit = [&](int flags) {
        return ring.complete([&](io_uring_sqe *sqe) {
            io_uring_prep_send(sqe, s.fd(), other.data(), other.size(), flags);
        });
    };
    // how long it takes to send and to be refused, where nothing is held
    uint64_t start = monotonic();
    ASSERT_EQ(s.send(first, MSG_DONTWAIT), 1000);
    expect_each(rs, first);
    EXPECT_EQ(submit(MSG_DONTWAIT), 900);
    expect_each(rs, other);
    constexpr uint64_t second = 1000000000;
    uint64_t same = std::min(monotonic() - start, second);
    uint64_t departure = monotonic() + 2 * second + 10 * same;
    ASSERT_EQ(Message(first, leave_at(departure)).send(s, MSG_DONTWAIT), 1000);
    ASSERT_EQ(s.stat().totals.sent, 24u);
    ASSERT_EQ(s.send(other, MSG_DONTWAIT), -EAGAIN);
    EXPECT_EQ(submit(MSG_DONTWAIT), -EAGAIN); // if it may not wait, it does not
    EXPECT_LT(monotonic(), departure);
    EXPECT_EQ(submit(0), 900);
    EXPECT_GE(monotonic(), departure);
    expect_each(rs, first);
    expect_each(rs, other);
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.sends, 4u);
    EXPECT_EQ(s.stat().totals.sent, 32u);
}

TEST_F(IoUring, SendsToAPartWithWhatIsEachOnesOwn)
{
    std::vector<Receiver> rs(5);
    auto a = addresses(rs);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    const std::string data = "aaabbbccc" + pattern(3000);
    const auto generation = s.stat().totals.generation;
    auto part = Control().range(1, 3).skip({&a[2], 1});
    Message message(data, Control(part).own(generation, 3).add(SOL_IP, IP_TTL, 11)),
        stale(data, Control(part).own(generation - 1, 3)), shared(data, part);
    Ring ring;
    for (unsigned flags : {0u, static_cast<unsigned>(IOSQE_ASYNC)}) {
        for (uint32_t counts : {0u, GRP_F_COUNT}) {
            SCOPED_TRACE(std::to_string(flags) + ", " + std::to_string(counts));
            ASSERT_EQ(s.set_flags(counts), 0);
            const long expected = counts ? 3 : static_cast<long>(data.size());
            auto send = [&](const Message &m, auto prepare) {
                return ring.complete([&](io_uring_sqe *sqe) {
                    prepare(sqe, s.fd(), &m.header(), 0);
                    io_uring_sqe_set_flags(sqe, flags);
                });
            };
            EXPECT_EQ(send(message, io_uring_prep_sendmsg), expected);
            EXPECT_EQ(rs[1].next(), "aaa" + data.substr(9));
            EXPECT_EQ(rs[3].next(), "ccc" + data.substr(9));
            EXPECT_EQ(send(stale, io_uring_prep_sendmsg), -ESTALE);
            EXPECT_EQ(send(message, io_uring_prep_sendmsg_zc), -EOPNOTSUPP);
            EXPECT_EQ(send(shared, io_uring_prep_sendmsg_zc), expected);
            EXPECT_EQ(rs[1].next(), data);
            EXPECT_EQ(rs[3].next(), data);
            for (bool copies : {true, false}) {
                EXPECT_EQ(ring.complete([&](io_uring_sqe *sqe) {
                    if (copies)
                        io_uring_prep_send(sqe, s.fd(), data.data(), data.size(), 0);
                    else
                        io_uring_prep_send_zc(sqe, s.fd(), data.data(), data.size(), 0, 0);
                    io_uring_sqe_set_flags(sqe, flags);
                }),
                          counts ? 5 : static_cast<long>(data.size()));
                expect_each(rs, data);
            }
            expect_none(rs);
        }
    }
}

// A send that counts completes with those that there was room for, and waits
// only if there was none; who goes on from there meets everyone once.
TEST_F(IoUring, CountsAndGoesOn)
{
    constexpr uint32_t slots = 200;
    slower_device(10, [](const Sender &s) { return s.send(hundred); });
    Capture wire("slow");
    auto a = many(0x0a090002, slots);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 15000), 0);
    ASSERT_EQ(s.set(a), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    Ring ring;
    uint64_t sends = 0, parts = 0;
    for (unsigned flags : {0u, static_cast<unsigned>(IOSQE_ASYNC)}) {
        SCOPED_TRACE(flags);
        for (uint32_t first = 0; first < slots; sends++) {
            Message message(hundred, Control().range(first, 0));
            long n = ring.complete([&](io_uring_sqe *sqe) {
                io_uring_prep_sendmsg(sqe, s.fd(), &message.header(), 0);
                io_uring_sqe_set_flags(sqe, flags);
            });
            ASSERT_GT(n, 0);
            parts += n < slots - first;
            first += static_cast<uint32_t>(n);
        }
        auto packets = wire.wait(slots);
        ASSERT_EQ(packets.size(), slots);
        for (uint32_t i = 0; i < slots; i++)
            EXPECT_EQ(packets[i].substr(16, 4),
                      std::string(reinterpret_cast<const char *>(&a[i].sin_addr), 4));
    }
    EXPECT_GT(parts, 2u);
    auto t = s.stat().totals;
    EXPECT_EQ(t.sends, sends);
    EXPECT_EQ(t.sent, uint64_t{2} * slots);
    EXPECT_EQ(t.unreached + t.failed, 0u);
}

// And whoever stays, whoever comes and goes beside, by each operation.
TEST_F(IoUring, CountsAndGoesOnWhileMembersComeAndGo)
{
    constexpr uint32_t stay = 60;
    slower_device(10, [](const Sender &s) { return s.send(hundred); });
    Capture wire("slow");
    const auto a = many(0x0a090002, stay), others = many(0x0a091002, stay);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 5000), 0);
    ASSERT_EQ(change(s, SO_SETGRP, in_turns(generic(a), generic(others))), 0);
    ASSERT_EQ(s.leave(others), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    Ring ring;
    const Way fast{"Fast"};
    uint64_t passed = 0, sends = 0;
    std::optional<Churn> churn(std::in_place, s, generic(others));
    for (size_t operation = 0; operation < 4; operation++) {
        SCOPED_TRACE(operation);
        InParts parts(ring, s, hundred, fast);
        long n = 0;
        do {
            parts.submit(operation);
            n = parts.outcome();
        } while (n > 0);
        ASSERT_EQ(n, 0);
        ring.settle();
        passed += parts.passed;
        sends += parts.sends;
    }
    EXPECT_GT(churn->changes(), 10);
    churn.reset();
    EXPECT_GT(sends, 8u);
    const auto t = s.stat().totals;
    EXPECT_EQ(t.sends, sends);
    EXPECT_EQ(t.sent + t.holes, passed);
    EXPECT_EQ(t.failed + t.skipped + t.unreached, 0u);
    auto n = destinations(wire.wait(t.sent));
    for (const auto &addr : a)
        EXPECT_EQ(n[ntohl(addr.sin_addr.s_addr)], 4) << inet_ntoa(addr.sin_addr);
}

} // namespace
} // namespace selftest
