// SPDX-License-Identifier: GPL-2.0-only
// io_uring sends to members of either family, and counts while they come and go.

#include "churn.hpp"
#include "gate.hpp"
#include "ring.hpp"

namespace selftest {
namespace {

class IoUring6 : public InBoth, public testing::WithParamInterface<Mix> {};

INSTANTIATE_TEST_SUITE_P(Of, IoUring6, testing::ValuesIn(mixes6()), name_of);

TEST_P(IoUring6, ReachesEveryone)
{
    auto peers = GetParam().peers(5);
    Sender s(AF_INET6);
    ASSERT_EQ(change(s, SO_SETGRP, addresses(peers)), 0);
    Ring ring;
    const auto data = pattern(3000);
    Message message(data, Control().add(SOL_SOCKET, SO_MARK, 7));
    uint64_t sends = 0;
    for (const auto &op : operations(s, data, message)) {
        for (unsigned flags : {0u, static_cast<unsigned>(IOSQE_ASYNC)}) {
            for (uint32_t counts : {0u, GRP_F_COUNT}) {
                SCOPED_TRACE(std::string(op.name) + (flags ? ", by a worker" : ""));
                ASSERT_EQ(s.set_flags(counts), 0);
                EXPECT_EQ(ring.complete([&](io_uring_sqe *sqe) {
                    op.prepare(sqe);
                    io_uring_sqe_set_flags(sqe, flags);
                }),
                          counts ? 5 : 3000);
                expect_each(peers, data);
                expect_none(peers);
                EXPECT_EQ(s.stat().totals.sent, 5 * ++sends);
            }
        }
    }
}

class IoUringCounts : public InBoth, public testing::WithParamInterface<std::tuple<Mix, Way>> {};

INSTANTIATE_TEST_SUITE_P(Of, IoUringCounts,
                         testing::Combine(testing::ValuesIn(mixes()), testing::ValuesIn(ways())),
                         [](const auto &info) {
                             return std::string(std::get<0>(info.param).name) +
                                    std::get<1>(info.param).name;
                         });

// A send completes with those that there was room for, and waits if there was none,
// or is refused and poll says when there is. Who goes on from there meets everyone
// who stays once.
TEST_P(IoUringCounts, WhileMembersComeAndGo)
{
    constexpr size_t stay = 40;
    const Mix &mix = std::get<0>(GetParam());
    const Way &way = std::get<1>(GetParam());
    auto peers = mix.peers(stay), visitors = mix.peers(stay);
    const auto a = addresses(peers), others = addresses(visitors);
    Sender s(mix.domain);
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 5000), 0);
    ASSERT_EQ(change(s, SO_SETGRP, in_turns(a, others)), 0);
    ASSERT_EQ(change(s, SO_DELGRP, others), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    Ring ring;
    Gate gate;
    uint64_t passed = 0, sends = 0, full = 0;
    std::optional<Churn> churn(std::in_place, s, others);
    for (size_t operation = 0; operation < 4; operation++) {
        const auto data = pattern(100 + operation);
        SCOPED_TRACE(operations(s, data, Message(data))[operation].name);
        InParts parts(ring, s, data, way);
        for (bool may_wait = true;; may_wait = !may_wait) {
            // one that finds room for some
            parts.submit(operation);
            long n = parts.outcome();
            ASSERT_GE(n, 0);
            if (!n)
                break;
            // and those behind it, until one finds none
            do {
                parts.submit(operation, MSG_DONTWAIT);
                n = parts.outcome();
            } while (n > 0);
            if (!n)
                break;
            ASSERT_EQ(n, -EAGAIN);
            full++;
            // which waits by itself, or for poll
            if (may_wait)
                parts.submit(operation);
            else
                ring.submit([&](auto sqe) { io_uring_prep_poll_add(sqe, s.fd(), POLLOUT); });
            gate.open();
            if (may_wait)
                ASSERT_GE(parts.outcome(), 0);
            else
                ASSERT_EQ(ring.outcome() & POLLOUT, POLLOUT);
            gate.close_behind(s);
        }
        gate.open();
        expect_each(peers, data);
        ring.settle();
        gate.close();
        passed += parts.passed;
        sends += parts.sends;
    }
    EXPECT_GT(churn->changes(), 10);
    churn.reset();
    expect_none(peers);
    // no operation could do it at once
    EXPECT_GE(full, 4u);
    const auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, sends);
    EXPECT_EQ(stat.totals.sent + stat.totals.holes, passed);
    EXPECT_EQ(stat.totals.failed + stat.totals.skipped + stat.totals.unreached, 0u);
}

} // namespace
} // namespace selftest
