// SPDX-License-Identifier: GPL-2.0-only
#include "numbered.hpp"

namespace conformance {

namespace {

// The number is at the end, whatever is in front of the data on the way.
std::string numbered(uint32_t number)
{
    std::string data = pattern(number % 2 ? 100 : 1000);
    memcpy(data.data() + data.size() - sizeof(number), &number, sizeof(number));
    return data;
}

uint32_t number_of(const Frame &f)
{
    uint32_t number = 0;
    memcpy(&number, f.bytes.data() + f.bytes.size() - sizeof(number), sizeof(number));
    return number;
}

} // namespace

void expect_each_in_order(World &world, const Addresses &members,
                          const std::map<std::string, size_t> &seen_at, uint32_t sends)
{
    In in(*world.sender);
    Sender s(members.family());
    const std::string packed = members.packed();
    ASSERT_EQ(s.set_raw(packed.data(), packed.size()), 0);
    for (uint32_t i = 0; i < sends; i++) {
        const std::string data = numbered(i);
        EXPECT_EQ(s.send(data), static_cast<long>(data.size()));
    }
    for (const auto &[tap, count] : seen_at) {
        SCOPED_TRACE("at " + tap);
        std::map<std::string, uint32_t> next;
        auto frames = world.taps.at(tap).take(count * sends);
        EXPECT_EQ(frames.size(), count * sends);
        for (const auto &f : frames) {
            const uint32_t number = number_of(f);
            ASSERT_LT(number, sends);
            const std::string data = numbered(number);
            ASSERT_GT(f.bytes.size(), data.size() + 28);
            const size_t at = f.bytes.size() - data.size();
            // before the UDP header
            const std::string member = f.address(at - 8 - (f.is_ip6() ? 16 : 4));
            EXPECT_TRUE(f.bytes.substr(at) == data) << "for " << member;
            EXPECT_EQ(number, next[member]++) << "for " << member;
        }
        EXPECT_EQ(next.size(), count);
    }
    EXPECT_EQ(s.stat().totals.sent, sends * members.size());
}

} // namespace conformance
