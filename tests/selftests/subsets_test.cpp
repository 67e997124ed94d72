// SPDX-License-Identifier: GPL-2.0-only
// Any of the group's control messages beside any others: what each receiver gets
// is what each of them says.

#include "families.hpp"

#include <chrono>
#include <thread>

namespace selftest {
namespace {

class Subsets : public InBoth, public testing::WithParamInterface<std::tuple<Mix, Way>> {};

INSTANTIATE_TEST_SUITE_P(Of, Subsets,
                         testing::Combine(testing::ValuesIn(mixes()), testing::ValuesIn(ways())),
                         [](const auto &info) {
                             return std::string(std::get<0>(info.param).name) +
                                    std::get<1>(info.param).name;
                         });

TEST_P(Subsets, EachSaysItsPart)
{
    constexpr uint32_t slots = 9, hole = 4, own = 5, first = 2, count = 5, skipped[] = {0, 3, 6, 8};
    const auto &[mix, way] = GetParam();
    auto peers = mix.peers(slots);
    const auto a = addresses(peers);
    std::vector<Address> left_out;
    for (auto i : skipped)
        left_out.push_back(a[i]);
    Sender s(mix.domain);
    hold_datagrams(s);
    ASSERT_EQ(change(s, SO_SETGRP, a), 0);
    ASSERT_EQ(change(s, SO_DELGRP, {&a[hole], 1}), 0);
    const auto generation = s.stat().totals.generation;
    for (unsigned which = 0; which < 32; which++) {
        const bool skip = which & 1, range = which & 2, private_part = which & 4,
                   spread = which & 8, counted = which & 16;
        SCOPED_TRACE(testing::Message()
                     << "skip " << skip << ", range " << range << ", private " << private_part
                     << ", spread " << spread << ", counted " << counted);
        const uint32_t begin = range ? first : 0, n = range ? count : slots;
        const std::string shared = "shared by " + std::to_string(which);
        std::string prefixes = pattern(size_t{own} * n);
        if (!private_part)
            prefixes.clear();
        Control c = way.control;
        if (spread)
            c.spread(30000000);
        if (skip)
            c = skipping(c, left_out);
        if (private_part)
            c.own(generation, own);
        if (range)
            c.range(first, count);
        ASSERT_EQ(s.set_flags(counted ? GRP_F_COUNT : 0), 0);
        const auto before = s.stat().totals;
        const uint64_t start = monotonic();
        ASSERT_EQ(Message(prefixes + shared, c).send(s, way.flags),
                  static_cast<long>(counted ? n : prefixes.size() + shared.size()));
        const auto after = s.stat().totals;
        uint64_t sent = 0, out = 0;
        for (uint32_t i = begin; i < begin + n; i++) {
            if (i == hole)
                continue;
            if (skip && std::find(std::begin(skipped), std::end(skipped), i) != std::end(skipped)) {
                out++;
                continue;
            }
            sent++;
            // one too many from before would come first
            ASSERT_EQ(peers[i].next(),
                      (private_part ? prefixes.substr(size_t{i - begin} * own, own) : "") + shared)
                << i;
            if (spread) {
                EXPECT_GE(monotonic(), start + (i - begin) * uint64_t{30000000} / n) << i;
            }
        }
        EXPECT_EQ(after.sent - before.sent, sent);
        EXPECT_EQ(after.skipped - before.skipped, out);
        EXPECT_EQ(after.holes - before.holes, 1u);
        EXPECT_EQ(after.failed + after.unreached, 0u);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    expect_none(peers);
}

} // namespace
} // namespace selftest
