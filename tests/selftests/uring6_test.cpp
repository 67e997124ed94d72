// SPDX-License-Identifier: GPL-2.0-only
// io_uring sends to members of either family.

#include "families.hpp"
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

} // namespace
} // namespace selftest
