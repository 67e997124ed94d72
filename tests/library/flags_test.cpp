// SPDX-License-Identifier: GPL-2.0-only
// GRP_F_COUNT: sends that say how many slots they have passed.

#include "support.hpp"

namespace library_test {
namespace {

uint32_t flags_of(const Sender &s)
{
    uint32_t flags = 0xdead;
    EXPECT_EQ(groupcast_flags(s.group(), &flags), 0);
    return flags;
}

TEST(Flags, AreTheSockets)
{
    Sender s;
    EXPECT_EQ(flags_of(s), 0U);
    EXPECT_EQ(s.set_flags(GRP_F_COUNT), 0);
    EXPECT_EQ(flags_of(s), GRP_F_COUNT);
    EXPECT_EQ(s.set_flags(GRP_F_COUNT | 2), -EINVAL);
    EXPECT_EQ(s.set_flags(1U << 31U), -EINVAL);
    ASSERT_EQ(s.set(many(1)), 0);
    ASSERT_EQ(s.set_raw(nullptr, 0), 0);
    EXPECT_EQ(flags_of(s), GRP_F_COUNT);
    EXPECT_EQ(s.send("x"), -EDESTADDRREQ);
    EXPECT_EQ(s.set_flags(0), 0);
    EXPECT_EQ(flags_of(s), 0U);
    EXPECT_EQ(s.generation(), 2U);
    EXPECT_EQ(groupcast_flags(s.group(), nullptr), -EFAULT);
}

TEST(Flags, EndWithTheGroupsOwner)
{
    groupcast::socket socket;
    {
        groupcast::group group(socket.fd());
        group.set_flags(GRP_F_COUNT);
    }
    EXPECT_EQ(groupcast::group(socket.fd()).flags(), 0U);
}

TEST(Flags, SendCountsSlots)
{
    std::vector<Receiver> rs(5);
    auto a = addresses(rs);
    Sender s;
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    ASSERT_EQ(s.set(a), 0);
    EXPECT_EQ(s.send("five"), 5);
    EXPECT_EQ(s.send(""), 5);
    ASSERT_EQ(s.del(a[1]), 0);
    EXPECT_EQ(s.send("a hole"), 5);
    EXPECT_EQ(s.send_with("skipped", {.skip = {a[0], a[4]}}), 5);
    EXPECT_EQ(s.send_with("range", {.range = {2, 2}}), 2);
    EXPECT_EQ(s.send_with("clamped", {.range = {3, 100}}), 2);
    EXPECT_EQ(s.send_with("nobody", {.range = {5, 0}}), 0);
    EXPECT_EQ(s.send_with("nobody", {.range = {99, 3}}), 0);
    EXPECT_EQ(s.send_with("the hole", {.range = {1, 1}}), 1);
    EXPECT_EQ(s.send_to("plain", a[1]), 5);

    // What cannot be sent has been passed
    ASSERT_EQ(s.add(groupcast::ipv4("255.255.255.255", 9)), 0);
    EXPECT_EQ(s.send("failed"), 5);
    EXPECT_EQ(s.stat().members[1].failed, 1U);

    auto totals = s.totals();
    EXPECT_EQ(totals.sends, 8U);
    EXPECT_EQ(totals.sent, 5U + 5 + 4 + 2 + 2 + 2 + 0 + 4);
    EXPECT_EQ(totals.failed, 1U);
    EXPECT_EQ(totals.skipped, 2U);
    EXPECT_EQ(totals.holes, 3U);
    EXPECT_EQ(totals.unreached, 0U);
}

} // namespace
} // namespace library_test
