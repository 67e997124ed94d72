// SPDX-License-Identifier: GPL-2.0-only
// Joining and leaving: who gets which slot, what stays, and what is refused.

#include "support.hpp"

#include <netinet/udp.h>

#include <chrono>
#include <map>
#include <random>

namespace library_test {
namespace {

using Slots = std::vector<std::pair<uint32_t, groupcast::address>>;

TEST(Change, JoinersTakeTheLowestHoles)
{
    Sender s;
    auto a = many(9);
    ASSERT_EQ(s.set(std::span(a).first(5)), 0);
    ASSERT_EQ(s.del({a[1], a[3]}), 0);
    EXPECT_EQ(s.slots(), (Slots{{0, a[0]}, {2, a[2]}, {4, a[4]}}));
    EXPECT_EQ(s.stat().totals.members, 3U);
    EXPECT_EQ(s.stat().totals.slots, 5U);

    ASSERT_EQ(s.add(a[5]), 0);
    EXPECT_EQ(s.slots(), (Slots{{0, a[0]}, {1, a[5]}, {2, a[2]}, {4, a[4]}}));
    ASSERT_EQ(s.add({a[6], a[7], a[8]}), 0);
    EXPECT_EQ(s.slots(),
              (Slots{{0, a[0]}, {1, a[5]}, {2, a[2]}, {3, a[6]}, {4, a[4]}, {5, a[7]}, {6, a[8]}}));
    EXPECT_EQ(s.members(), (std::vector{a[0], a[5], a[2], a[6], a[4], a[7], a[8]}));
}

TEST(Change, HolesAtTheEndGo)
{
    Sender s;
    auto a = many(6);
    ASSERT_EQ(s.set(std::span(a).first(5)), 0);
    ASSERT_EQ(s.del({a[2], a[3]}), 0);
    EXPECT_EQ(s.stat().totals.slots, 5U);
    ASSERT_EQ(s.del(a[4]), 0);
    EXPECT_EQ(s.stat().totals.slots, 2U);
    ASSERT_EQ(s.add(a[5]), 0);
    EXPECT_EQ(s.slots(), (Slots{{0, a[0]}, {1, a[1]}, {2, a[5]}}));
}

TEST(Change, FirstMakesAndLastDissolves)
{
    Receiver r;
    Sender s;
    ASSERT_EQ(s.add(r.address()), 0);
    EXPECT_EQ(s.generation(), 1U);
    EXPECT_EQ(s.send("one"), 3);
    EXPECT_EQ(r.next(), "one");
    ASSERT_EQ(s.del(r.address()), 0);
    EXPECT_EQ(s.generation(), 2U);
    EXPECT_EQ(s.send("none"), -EDESTADDRREQ);
    EXPECT_EQ(s.stat().totals.slots, 0U);
    EXPECT_EQ(s.stat().totals.sent, 1U);
    EXPECT_EQ(get_option(s.fd(), IPPROTO_IP, IP_RECVERR), 0);

    ASSERT_EQ(s.add(r.address()), 0);
    EXPECT_EQ(s.send("two"), 3);
    EXPECT_EQ(r.next(), "two");
    EXPECT_EQ(s.stat().members[0].sent, 1U);
    EXPECT_EQ(s.generation(), 3U);
    ASSERT_EQ(s.set_raw(nullptr, 0), 0);
    EXPECT_EQ(s.generation(), 4U);
}

TEST(Change, OneCallIsOneGeneration)
{
    Sender s;
    auto a = many(4);
    ASSERT_EQ(s.add(a), 0);
    EXPECT_EQ(s.generation(), 1U);
    ASSERT_EQ(s.del({a[0], a[2]}), 0);
    EXPECT_EQ(s.generation(), 2U);
    ASSERT_EQ(s.add({a[0], a[2]}), 0);
    EXPECT_EQ(s.generation(), 3U);
    ASSERT_EQ(s.del(a), 0);
    EXPECT_EQ(s.generation(), 4U);
}

TEST(Change, AllOrNone)
{
    Sender s;
    auto a = many(6);
    ASSERT_EQ(s.add({a[0], a[1], a[2]}), 0);
    ASSERT_EQ(s.del(a[1]), 0);
    const Slots before{{0, a[0]}, {2, a[2]}};

    EXPECT_EQ(s.add({a[3], a[0]}), -EADDRINUSE);
    EXPECT_EQ(s.add({a[3], a[4], a[3]}), -EADDRINUSE);
    EXPECT_EQ(s.del({a[0], a[3]}), -EADDRNOTAVAIL);
    EXPECT_EQ(s.del({a[0], a[2], a[0]}), -EADDRNOTAVAIL);
    EXPECT_EQ(s.del({a[0], a[2], a[3]}), -EADDRNOTAVAIL);
    EXPECT_EQ(s.del(a[1]), -EADDRNOTAVAIL);
    EXPECT_EQ(s.slots(), before);
    EXPECT_EQ(s.stat().totals.slots, 3U);
    EXPECT_EQ(s.generation(), 2U);

    // Nobody is remembered as a member, or forgotten
    EXPECT_EQ(s.add({a[3], a[4]}), 0);
    EXPECT_EQ(s.slots(), (Slots{{0, a[0]}, {1, a[3]}, {2, a[2]}, {3, a[4]}}));
    EXPECT_EQ(s.del({a[2], a[0], a[3], a[4]}), 0);
    EXPECT_EQ(s.stat().totals.members, 0U);
}

TEST(Change, MistakesLeaveNoGroup)
{
    Sender s;
    auto a = many(2);
    auto no_port = a[1];
    no_port.sin_port = 0;
    EXPECT_EQ(s.add({a[0], a[0]}), -EADDRINUSE);
    EXPECT_EQ(s.add({a[0], no_port}), -EINVAL);
    EXPECT_EQ(s.add({a[0], groupcast::ipv6("::1", 9)}), -EAFNOSUPPORT);
    EXPECT_EQ(s.del(a[0]), -EADDRNOTAVAIL);
    EXPECT_EQ(groupcast_add(s.group(), a.data(), 0), -EINVAL);
    EXPECT_EQ(groupcast_del(s.group(), a.data(), 0), -EINVAL);
    EXPECT_EQ(groupcast_add(s.group(), a.data(), 31), -EINVAL);
    EXPECT_EQ(groupcast_del(s.group(), a.data(), 15), -EINVAL);
    EXPECT_EQ(groupcast_add(s.group(), nullptr, 16), -EFAULT);
    EXPECT_EQ(groupcast_del(s.group(), nullptr, 16), -EFAULT);
    EXPECT_EQ(groupcast_add(s.group(), a.data(), SIZE_MAX), -ENOBUFS);
    EXPECT_EQ(s.generation(), 0U);
    EXPECT_EQ(s.stat().totals.members, 0U);
    EXPECT_EQ(get_option(s.fd(), IPPROTO_IP, IP_RECVERR), 0);
}

// Of several mistakes it is told of the same one by either backend: first how the
// addresses are packed, then the socket, then how many they are, then the first of
// them that is wrong.
TEST(Change, WhichOfSeveralMistakes)
{
    Sender s;
    auto a = many(4);
    auto no_port = a[3];
    no_port.sin_port = 0;
    const auto other = groupcast::ipv6("::1", 9);
    ASSERT_EQ(s.add({a[0], a[1], a[2]}), 0);

    EXPECT_EQ(s.add({no_port, a[0]}), -EINVAL);
    EXPECT_EQ(s.add({a[0], no_port}), -EADDRINUSE);
    EXPECT_EQ(s.add({a[3], a[3], no_port}), -EADDRINUSE);
    EXPECT_EQ(s.add({no_port, no_port}), -EINVAL);
    EXPECT_EQ(s.add({no_port, a[0], other}), -EAFNOSUPPORT);

    EXPECT_EQ(s.del({no_port, a[3]}), -EINVAL);
    EXPECT_EQ(s.del({a[0], no_port, a[3]}), -EINVAL);
    EXPECT_EQ(s.del({a[3], no_port}), -EADDRNOTAVAIL);
    EXPECT_EQ(s.del({a[0], a[0], no_port}), -EADDRNOTAVAIL);
    EXPECT_EQ(s.del({no_port, a[0], a[1], a[2]}), -EADDRNOTAVAIL) << "more than there are";
    EXPECT_EQ(s.del({no_port, a[3], other}), -EAFNOSUPPORT);
    EXPECT_EQ(Sender().del(no_port), -EADDRNOTAVAIL);

    auto too_many = many(UDP_GROUP_MAX_MEMBERS);
    too_many[4].sin_port = 0;
    EXPECT_EQ(s.add(too_many), -ENOBUFS);
    EXPECT_EQ(s.del(too_many), -EADDRNOTAVAIL);
    EXPECT_EQ(s.del(many(UDP_GROUP_MAX_MEMBERS + 1)), -ENOBUFS);

    ASSERT_EQ(set_option(s.fd(), IPPROTO_UDP, UDP_CORK, 1), 0);
    EXPECT_EQ(s.add(no_port), -EBUSY);
    EXPECT_EQ(s.add(a[0]), -EBUSY);
    EXPECT_EQ(s.del(no_port), -EBUSY);
    EXPECT_EQ(s.add({no_port, other}), -EAFNOSUPPORT);
    ASSERT_EQ(set_option(s.fd(), IPPROTO_UDP, UDP_CORK, 0), 0);

    EXPECT_EQ(s.slots(), (Slots{{0, a[0]}, {1, a[1]}, {2, a[2]}}));
    EXPECT_EQ(s.generation(), 1U);
}

TEST(Change, AsLittleAsSetWhereThereIsNoGroup)
{
    Receiver r;
    Sender s;
    ASSERT_EQ(connect(s.fd(), generic(r.address()), sizeof(sockaddr_in)), 0);
    EXPECT_EQ(s.add(r.address()), -EISCONN);
    EXPECT_EQ(s.del(r.address()), -EISCONN);

    Sender corked;
    ASSERT_EQ(corked.add(r.address()), 0);
    ASSERT_EQ(set_option(corked.fd(), IPPROTO_UDP, UDP_CORK, 1), 0);
    EXPECT_EQ(corked.add(many(1)), -EBUSY);
    EXPECT_EQ(corked.del(r.address()), -EBUSY);
    EXPECT_EQ(corked.members().size(), 1U);
    ASSERT_EQ(set_option(corked.fd(), IPPROTO_UDP, UDP_CORK, 0), 0);
}

TEST(Change, CountersStayWithTheMember)
{
    std::vector<Receiver> rs(3);
    auto a = addresses(rs);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    EXPECT_EQ(s.send("x"), 1);
    ASSERT_EQ(s.del(a[0]), 0);
    EXPECT_EQ(s.send("x"), 1);
    ASSERT_EQ(s.add(a[0]), 0);
    EXPECT_EQ(s.send("x"), 1);
    auto stat = s.stat();
    EXPECT_EQ(stat.members[0].sent, 1U) << "who comes back begins anew";
    EXPECT_EQ(stat.members[1].sent, 3U);
    EXPECT_EQ(stat.members[2].sent, 3U);
    EXPECT_EQ(stat.totals.sent, 8U);
    EXPECT_EQ(stat.totals.holes, 1U);
}

TEST(Change, NoMoreThanTheLargestGroup)
{
    Sender s;
    auto a = many(UDP_GROUP_MAX_MEMBERS + 2);
    ASSERT_EQ(s.add(std::span(a).first(UDP_GROUP_MAX_MEMBERS - 1)), 0);
    EXPECT_EQ(s.add(std::span(a).last(2)), -ENOBUFS);
    ASSERT_EQ(s.add(a[UDP_GROUP_MAX_MEMBERS]), 0);
    EXPECT_EQ(s.add(a.back()), -ENOBUFS);
    ASSERT_EQ(s.del(a[12345]), 0);
    ASSERT_EQ(s.add(a.back()), 0);
    auto slots = s.slots();
    ASSERT_EQ(slots.size(), size_t{UDP_GROUP_MAX_MEMBERS});
    EXPECT_EQ(slots[12345].second, groupcast::address(a.back()));
    EXPECT_EQ(s.generation(), 4U);
}

// What the group should be, the slow way.
class Model {
public:
    int add(std::span<const sockaddr_in> joining)
    {
        auto next = slots_;
        for (const auto &addr : joining) {
            uint32_t free = 0;
            for (const auto &[slot, member] : next) {
                if (member == groupcast::address(addr))
                    return -EADDRINUSE;
                free += slot == free;
            }
            next.emplace(free, addr);
        }
        slots_ = next;
        return 0;
    }
    int del(std::span<const sockaddr_in> leaving)
    {
        auto next = slots_;
        for (const auto &addr : leaving) {
            auto is = [&](const auto &entry) { return entry.second == groupcast::address(addr); };
            auto it = std::find_if(next.begin(), next.end(), is);
            if (it == next.end())
                return -EADDRNOTAVAIL;
            next.erase(it);
        }
        slots_ = next;
        return 0;
    }
    Slots slots() const { return {slots_.begin(), slots_.end()}; }

private:
    std::map<uint32_t, groupcast::address> slots_;
};

TEST(Change, AnyOrderOfJoinsAndLeaves)
{
    std::mt19937 random(1);
    auto a = many(200);
    Model model;
    Sender s;
    uint64_t generation = 0;
    for (int round = 0; round < 2000; round++) {
        std::vector<sockaddr_in> some;
        for (size_t n = 1 + random() % 8; n != 0; n--)
            some.push_back(a[random() % a.size()]);
        const bool joins = random() % 2 == 0;
        const int expected = joins ? model.add(some) : model.del(some);
        ASSERT_EQ(joins ? s.add(some) : s.del(some), expected) << "round " << round;
        generation += expected == 0;
        ASSERT_EQ(s.slots(), model.slots()) << "round " << round;
    }
    EXPECT_EQ(s.generation(), generation);
    EXPECT_GT(generation, 200U);
}

// Joining and leaving do not cost more where there are more members.
TEST(Change, CostDoesNotGrowWithTheGroup)
{
    auto a = many(60001);
    // The middle one of many, which is not about what else the machine does
    auto time = [&](size_t members) {
        Sender s;
        EXPECT_EQ(s.set(std::span(a).first(members)), 0);
        std::vector<double> times(1000);
        for (auto &t : times) {
            const auto begin = std::chrono::steady_clock::now();
            EXPECT_EQ(s.add(a.back()), 0);
            EXPECT_EQ(s.del(a.back()), 0);
            t = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        }
        std::nth_element(times.begin(), times.begin() + 500, times.end());
        return times[500];
    };
    const double small = time(100);
    EXPECT_LT(time(60000), 10 * small);
}

} // namespace
} // namespace library_test
