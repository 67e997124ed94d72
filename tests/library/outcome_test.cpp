// SPDX-License-Identifier: GPL-2.0-only
// What became of the datagrams: totals, records, and what ICMP says of peers.

#include "support.hpp"

#include <algorithm>

namespace library_test {
namespace {

TEST(Outcome, NothingYet)
{
    Sender s;
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.size, sizeof(udp_grpstat));
    EXPECT_EQ(stat.totals.generation, 0U);
    EXPECT_EQ(stat.totals.members, 0U);
    EXPECT_EQ(stat.totals.slots, 0U);
    EXPECT_EQ(stat.totals.sends, 0U);
    EXPECT_TRUE(stat.members.empty());
}

TEST(Outcome, CountsByMember)
{
    std::vector<Receiver> rs(3);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    for (int i = 0; i < 5; i++)
        ASSERT_EQ(s.send("x"), 1);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.generation, 1U);
    EXPECT_EQ(stat.totals.members, 3U);
    EXPECT_EQ(stat.totals.slots, 3U);
    EXPECT_EQ(stat.totals.records, 3U);
    EXPECT_EQ(stat.totals.member_size, sizeof(udp_grpstat_member));
    EXPECT_EQ(stat.totals.first_slot, 0U);
    EXPECT_EQ(stat.totals.sends, 5U);
    EXPECT_EQ(stat.totals.sent, 15U);
    EXPECT_EQ(stat.totals.failed, 0U);
    EXPECT_EQ(stat.totals.skipped, 0U);
    EXPECT_EQ(stat.totals.holes, 0U);
    EXPECT_EQ(stat.totals.unreached, 0U);
    EXPECT_EQ(stat.totals.icmp, 0U);
    ASSERT_EQ(stat.members.size(), 3U);
    for (size_t i = 0; i < 3; i++) {
        EXPECT_EQ(stat.members[i].slot, i);
        EXPECT_EQ(stat.members[i].addr.in, rs[i].address());
        EXPECT_EQ(stat.members[i].sent, 5U);
        EXPECT_EQ(stat.members[i].failed, 0U);
        EXPECT_EQ(stat.members[i].error, 0);
    }
}

TEST(Outcome, TotalsGoOnAndRecordsBeginAnew)
{
    std::vector<Receiver> rs(2);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    ASSERT_EQ(s.send("x"), 1);
    ASSERT_EQ(s.set(addresses(rs)), 0);
    ASSERT_EQ(s.send("x"), 1);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, 2U);
    EXPECT_EQ(stat.totals.sent, 4U);
    EXPECT_EQ(stat.members[0].sent, 1U);

    ASSERT_EQ(s.set_raw(nullptr, 0), 0);
    stat = s.stat();
    EXPECT_EQ(stat.totals.generation, 3U);
    EXPECT_EQ(stat.totals.members, 0U);
    EXPECT_EQ(stat.totals.sends, 2U);
    EXPECT_EQ(stat.totals.sent, 4U);
    EXPECT_TRUE(stat.members.empty());
}

TEST(Outcome, AsManyRecordsAsThereIsRoomFor)
{
    Sender s;
    ASSERT_EQ(s.set(many(10)), 0);
    udp_grpstat totals{};
    std::vector<udp_grpstat_member> records(20);
    records[4].slot = 99;
    EXPECT_EQ(groupcast_stat(s.group(), &totals, records.data(), 4), 4);
    EXPECT_EQ(totals.members, 10U);
    EXPECT_EQ(totals.records, 4U);
    EXPECT_EQ(records[3].slot, 3U);
    EXPECT_EQ(records[4].slot, 99U);
    EXPECT_EQ(groupcast_stat(s.group(), &totals, records.data(), 20), 10);
    EXPECT_EQ(records[9].addr.in, many(10)[9]);
    EXPECT_EQ(groupcast_stat(s.group(), &totals, nullptr, 0), 0);
    EXPECT_EQ(totals.members, 10U);
    EXPECT_EQ(groupcast_stat(s.group(), &totals, nullptr, 1), -EFAULT);
    EXPECT_EQ(groupcast_stat(s.group(), nullptr, records.data(), 1), -EFAULT);
}

TEST(Outcome, DeadPeerIsAttributedAndAlone)
{
    std::vector<Receiver> rs(4);
    Sender s;
    auto addrs = addresses(rs);
    auto dead = dead_addresses(1)[0];
    addrs.insert(addrs.begin() + 2, dead);
    ASSERT_EQ(s.set(addrs), 0);
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(s.send(std::to_string(i)), 1);
    for (const auto &r : rs) {
        for (int i = 0; i < 10; i++)
            EXPECT_EQ(r.next(), std::to_string(i));
        EXPECT_TRUE(r.empty());
    }
    EXPECT_TRUE(s.await_icmp(10));
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, 10U);
    EXPECT_EQ(stat.totals.sent, 50U);
    EXPECT_EQ(stat.totals.failed, 0U);
    EXPECT_EQ(stat.totals.icmp, 10U);
    for (const auto &m : stat.members) {
        bool is_dead = m.addr.in == dead;
        EXPECT_EQ(m.sent, 10U);
        EXPECT_EQ(m.icmp, is_dead ? 10U : 0U);
        EXPECT_EQ(m.error, is_dead ? ECONNREFUSED : 0);
    }
}

// So many that the queue of their errors runs over, and each error meets the
// datagram to the living one behind it.
TEST(Outcome, ManyDeadPeersHarmNobody)
{
    std::vector<Receiver> rs(300);
    auto dead = dead_addresses(300);
    Sender s;
    std::vector<sockaddr_in> addrs;
    for (size_t i = 0; i < rs.size(); i++) {
        addrs.push_back(dead[i]);
        addrs.push_back(rs[i].address());
    }
    ASSERT_EQ(set_option(s.fd(), SOL_SOCKET, SO_RCVBUF, 4096), 0);
    ASSERT_EQ(s.set(addrs), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(s.send("alive?"), 6);
    for (const auto &r : rs) {
        for (int i = 0; i < 3; i++)
            EXPECT_EQ(r.next(), "alive?");
        EXPECT_TRUE(r.empty());
    }
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sent, 1800U);
    EXPECT_EQ(stat.totals.failed, 0U);
    EXPECT_TRUE(s.await_icmp(1));
    for (const auto &m : stat.members)
        EXPECT_EQ(m.sent, 3U);
}

// What the program has not received yet can leave the errors no room.
TEST(Outcome, ErrorWithoutRoomHarmsNobody)
{
    Receiver r;
    Receiver stranger;
    Sender s;
    sockaddr_in self = groupcast::ipv4("127.0.0.1", 0);
    socklen_t len = sizeof(self);
    ASSERT_EQ(set_option(s.fd(), SOL_SOCKET, SO_RCVBUF, 1), 0);
    ASSERT_EQ(bind(s.fd(), generic(self), len), 0);
    ASSERT_EQ(getsockname(s.fd(), reinterpret_cast<sockaddr *>(&self), &len), 0);
    std::string data(1000, 'x');
    for (int i = 0; i < 20; i++)
        sendto(stranger.fd(), data.data(), data.size(), 0, generic(self), len);

    ASSERT_EQ(s.set(std::vector{r.address(), dead_addresses(1)[0]}), 0);
    EXPECT_EQ(s.send("one"), 3);
    EXPECT_EQ(s.send("two"), 3);
    EXPECT_EQ(s.send_to("alone", r.address()), 5);
    EXPECT_EQ(r.next(), "one");
    EXPECT_EQ(r.next(), "two");
    EXPECT_EQ(r.next(), "alone");
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sent, 4U);
    EXPECT_EQ(stat.totals.failed, 0U);
    EXPECT_EQ(stat.members[0].error, 0);

    // Nor is it left behind for whatever the program does next
    EXPECT_EQ(s.send("three"), 5);
    ASSERT_EQ(s.set_raw(nullptr, 0), 0);
    EXPECT_EQ(get_option(s.fd(), SOL_SOCKET, SO_ERROR), 0);
}

TEST(Outcome, OnlyDeadPeers)
{
    Sender s;
    ASSERT_EQ(s.set(dead_addresses(20)), 0);
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(s.send("anybody?"), 8);
    EXPECT_TRUE(s.await_icmp(100));
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.failed, 0U);
    EXPECT_EQ(stat.totals.icmp, 100U);
    for (const auto &m : stat.members)
        EXPECT_EQ(m.icmp, 5U);
}

TEST(Outcome, StrangersErrorIsNobodys)
{
    Receiver r;
    Sender s;
    auto dead = dead_addresses(1)[0];
    ASSERT_EQ(s.set(std::vector{r.address()}), 0);
    EXPECT_EQ(s.send_to("x", dead), 1);
    EXPECT_EQ(s.send("y"), 1);
    EXPECT_EQ(s.send_to("x", dead), 1);
    EXPECT_EQ(s.send_to("z", r.address()), 1);
    EXPECT_EQ(r.next(), "y");
    EXPECT_EQ(r.next(), "z");
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.icmp, 0U);
    EXPECT_EQ(stat.members[0].error, 0);
}

// An error that comes back from an old member is not a new one's.
TEST(Outcome, ErrorsEndWithTheGroup)
{
    Receiver r;
    Sender s;
    auto dead = dead_addresses(1);
    ASSERT_EQ(s.set(dead), 0);
    EXPECT_EQ(s.send("x"), 1);
    ASSERT_EQ(s.set(dead), 0);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.icmp, 1U);
    EXPECT_EQ(stat.members[0].icmp, 0U);
    EXPECT_EQ(stat.members[0].error, 0);

    EXPECT_EQ(s.send("x"), 1);
    ASSERT_EQ(s.set_raw(nullptr, 0), 0);
    EXPECT_EQ(s.stat().totals.icmp, 2U);
    EXPECT_EQ(get_option(s.fd(), SOL_SOCKET, SO_ERROR), 0);
    char c = 0;
    EXPECT_EQ(recv(s.fd(), &c, 1, MSG_DONTWAIT), -1);
    EXPECT_EQ(errno, EAGAIN);
}

} // namespace
} // namespace library_test
