// SPDX-License-Identifier: GPL-2.0-only
// SO_ADDGRP, SO_DELGRP and SO_GRPFLAGS: who has which slot, what is kept from
// one change to the next, what is refused, and that a refusal changes nothing.

#include "messages.hpp"

#include <sys/mman.h>

#include <map>

namespace selftest {
namespace {

class Membership : public InNamespace {};

using Slots = std::map<uint32_t, std::string>;

std::string name(const sockaddr_in &a)
{
    return std::string(inet_ntoa(a.sin_addr)) + ":" + std::to_string(ntohs(a.sin_port));
}

// Who has which slot; the totals must agree with that.
Slots slots(const Sender &s)
{
    auto stat = s.stat();
    Slots slots;
    for (const auto &m : stat.members)
        EXPECT_TRUE(slots.emplace(m.slot, name(m.addr.in)).second);
    EXPECT_EQ(stat.totals.members, slots.size());
    EXPECT_EQ(stat.totals.slots, slots.empty() ? 0 : slots.rbegin()->first + 1);
    return slots;
}

// Those of the addresses with these numbers.
std::vector<sockaddr_in> pick(const std::vector<sockaddr_in> &addrs,
                              std::initializer_list<size_t> numbers)
{
    std::vector<sockaddr_in> picked;
    for (size_t i : numbers)
        picked.push_back(addrs.at(i));
    return picked;
}

// The same, by slot.
Slots at(const std::vector<sockaddr_in> &addrs,
         std::initializer_list<std::pair<uint32_t, size_t>> numbers)
{
    Slots slots;
    for (auto [slot, i] : numbers)
        slots[slot] = name(addrs.at(i));
    return slots;
}

TEST_F(Membership, AJoinTakesTheLowestHole)
{
    auto a = many(0x0a000001, 20);
    Sender s;
    ASSERT_EQ(s.set(pick(a, {0, 1, 2, 3, 4})), 0);
    ASSERT_EQ(s.leave(pick(a, {3, 1})), 0);
    EXPECT_EQ(slots(s), at(a, {{0, 0}, {2, 2}, {4, 4}}));
    ASSERT_EQ(s.join(pick(a, {10, 11, 12})), 0);
    EXPECT_EQ(slots(s), at(a, {{0, 0}, {1, 10}, {2, 2}, {3, 11}, {4, 4}, {5, 12}}));
    EXPECT_EQ(s.members(), pick(a, {0, 10, 2, 11, 4, 12}));
    // who comes back has no claim to the old slot
    ASSERT_EQ(s.leave(pick(a, {10, 4})), 0);
    ASSERT_EQ(s.join(pick(a, {4})), 0);
    EXPECT_EQ(slots(s), at(a, {{0, 0}, {1, 4}, {2, 2}, {3, 11}, {5, 12}}));
    ASSERT_EQ(s.set(pick(a, {12, 0})), 0);
    EXPECT_EQ(slots(s), at(a, {{0, 12}, {1, 0}}));
}

// Slots end with the highest member, across all levels of what holds them.
TEST_F(Membership, HolesAtTheEndGo)
{
    auto a = many(0x0a000001, 9000);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    uint32_t members = 9000;
    auto leave = [&](size_t first, size_t n, uint32_t left) {
        ASSERT_EQ(s.leave(std::span(a).subspan(first, n)), 0);
        members -= static_cast<uint32_t>(n);
        auto t = s.stat().totals;
        EXPECT_EQ(t.slots, left) << "without " << n << " from " << first << " on";
        EXPECT_EQ(t.members, members);
    };
    leave(8999, 1, 8999);
    leave(8192, 807, 8192);  // to the end of a branch
    leave(8191, 1, 8191);    // and into the one before
    leave(8189, 1, 8191);    // a hole
    leave(8190, 1, 8189);    // and what held it
    leave(64, 64, 8189);     // all of a leaf
    leave(4096, 4093, 4096); // all of a branch
    leave(1, 63, 4096);
    leave(128, 4096 - 128, 1); // all but the first
    EXPECT_EQ(slots(s), at(a, {{0, 0}}));
    ASSERT_EQ(s.join(std::span(a).subspan(1, 8999)), 0);
    EXPECT_EQ(s.members(), a);
}

TEST_F(Membership, AJoinMakesTheGroupAndTheLastLeaveDissolvesIt)
{
    std::vector<Receiver> rs(3);
    auto a = addresses(rs);
    Sender s;
    EXPECT_EQ(s.leave(a), -EADDRNOTAVAIL);
    ASSERT_EQ(s.join(a), 0);
    EXPECT_EQ(s.stat().totals.generation, 1u);
    EXPECT_EQ(s.send("one"), 3);
    expect_each(rs, "one");

    auto dest = reinterpret_cast<const sockaddr *>(&rs[0].address());
    EXPECT_EQ(result(connect(s.fd(), dest, sizeof(sockaddr_in))), -EISCONN);
    ASSERT_EQ(s.leave(a), 0);
    auto t = s.stat().totals;
    EXPECT_EQ(t.generation, 2u);
    EXPECT_EQ(t.members, 0u);
    EXPECT_EQ(t.slots, 0u);
    EXPECT_EQ(t.sent, 3u);
    EXPECT_TRUE(s.members().empty());
    EXPECT_EQ(s.send("x"), -EDESTADDRREQ);
    EXPECT_EQ(s.leave(a), -EADDRNOTAVAIL);
    EXPECT_EQ(connect(s.fd(), dest, sizeof(sockaddr_in)), 0);
    sockaddr unspec{};
    unspec.sa_family = AF_UNSPEC;
    ASSERT_EQ(connect(s.fd(), &unspec, sizeof(unspec)), 0);

    // one after the other, and back again
    for (uint64_t i = 0; i < 3; i++) {
        ASSERT_EQ(s.join({&a[i], 1}), 0);
        EXPECT_EQ(s.stat().totals.generation, 3 + i);
    }
    EXPECT_EQ(s.send("two"), 3);
    expect_each(rs, "two");
    for (uint64_t i = 0; i < 3; i++) {
        ASSERT_EQ(s.leave({&a[i], 1}), 0);
        EXPECT_EQ(s.stat().totals.generation, 6 + i);
    }
    EXPECT_EQ(s.send("x"), -EDESTADDRREQ);
    expect_none(rs);
}

TEST_F(Membership, MembersKeepWhatTheyCounted)
{
    std::vector<Receiver> rs(5);
    auto a = addresses(rs);
    const auto nowhere = address("10.77.0.1", 9);
    Sender s;
    ASSERT_EQ(s.set(pick(a, {0, 1, 2})), 0);
    ASSERT_EQ(s.join({&nowhere, 1}), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(Message("x", Control().skip(pick(a, {2}))).send(s), 1);
    ASSERT_EQ(s.leave(pick(a, {1})), 0);
    ASSERT_EQ(s.join(pick(a, {3, 4})), 0); // slots 1 and 4
    EXPECT_EQ(s.send("x"), 1);
    struct {
        uint64_t sent, failed, skipped;
        int error;
    } expected[] = {{4, 0, 0, 0}, {1, 0, 0, 0}, {1, 0, 3, 0}, {0, 4, 0, ENETUNREACH}, {1, 0, 0, 0}};
    auto stat = s.stat();
    ASSERT_EQ(stat.members.size(), 5u);
    for (size_t i = 0; i < 5; i++) {
        EXPECT_EQ(stat.members[i].slot, i);
        EXPECT_EQ(stat.members[i].sent, expected[i].sent) << i;
        EXPECT_EQ(stat.members[i].failed, expected[i].failed) << i;
        EXPECT_EQ(stat.members[i].skipped, expected[i].skipped) << i;
        EXPECT_EQ(stat.members[i].error, expected[i].error) << i;
    }
    EXPECT_EQ(stat.totals.sent, 10u);
    EXPECT_EQ(stat.totals.failed, 4u);
    EXPECT_EQ(stat.totals.skipped, 3u);

    // who leaves and comes back begins anew, and so does everyone in a new group
    ASSERT_EQ(s.leave(pick(a, {0})), 0);
    ASSERT_EQ(s.join(pick(a, {0})), 0);
    EXPECT_EQ(s.stat().members[0].sent, 0u);
    EXPECT_EQ(s.stat().members[2].skipped, 3u);
    ASSERT_EQ(s.set(pick(a, {0, 2})), 0);
    stat = s.stat();
    for (const auto &m : stat.members)
        EXPECT_EQ(m.sent + m.failed + m.skipped, 0u);
    EXPECT_EQ(stat.totals.sent, 10u);
}

TEST_F(Membership, ARefusalChangesNothing)
{
    auto a = many(0x0a000001, 8);
    std::vector<sockaddr_in> in(a.begin(), a.begin() + 4), out(a.begin() + 4, a.end());
    auto family = [](uint16_t f) {
        auto addr = address("10.1.1.1", 5);
        addr.sin_family = f;
        return addr;
    };
    struct {
        sockaddr_in bad;
        long join, leave;
    } cases[] = {
        {family(AF_UNSPEC), -EAFNOSUPPORT, -EAFNOSUPPORT},
        {family(0xffff), -EAFNOSUPPORT, -EAFNOSUPPORT},
        {address("10.1.1.1", 0), -EINVAL, -EINVAL},
        {in[3], -EADDRINUSE, 0},     // a member; it may leave
        {out[3], 0, -EADDRNOTAVAIL}, // not one
    };
    Sender s;
    ASSERT_EQ(s.set(in), 0);
    // a hole, where those that were refused must not have been
    ASSERT_EQ(s.leave({&in[1], 1}), 0);
    in.erase(in.begin() + 1);
    {
        Unchanged unchanged(s);
        for (const auto &c : cases) {
            for (size_t where = 0; where <= 3; where++) {
                std::vector<sockaddr_in> join(out.begin(), out.begin() + 3),
                    leave(in.begin(), in.begin() + 2);
                join.insert(join.begin() + static_cast<long>(where), c.bad);
                leave.insert(leave.begin() + static_cast<long>(std::min<size_t>(where, 2)), c.bad);
                if (c.join) {
                    EXPECT_EQ(s.join(join), c.join) << where;
                }
                if (c.leave) {
                    EXPECT_EQ(s.leave(leave), c.leave) << where;
                }
            }
        }
        // named twice, next to each other and apart
        EXPECT_EQ(s.join(pick(out, {0, 0})), -EADDRINUSE);
        EXPECT_EQ(s.join(pick(out, {0, 1, 2, 0})), -EADDRINUSE);
        EXPECT_EQ(s.leave(pick(in, {0, 0})), -EADDRNOTAVAIL);
        EXPECT_EQ(s.leave(pick(in, {0, 1, 0})), -EADDRNOTAVAIL);
        EXPECT_EQ(s.leave(pick(in, {0, 1, 2, 0})), -EADDRNOTAVAIL);
        for (int option : {SO_ADDGRP, SO_DELGRP}) {
            const auto &good = option == SO_ADDGRP ? out : in;
            EXPECT_EQ(s.change(option, good.data(), 0), -EINVAL);
            EXPECT_EQ(s.change(option, nullptr, 0), -EINVAL);
            for (size_t len : {1, 4, 15, 17, 31, 47})
                EXPECT_EQ(s.change(option, good.data(), len), -EINVAL) << len;
            EXPECT_EQ(s.change(option, nullptr, 16), -EFAULT);
            EXPECT_EQ(s.change(option, good.data(), 0x7fffffff), -ENOBUFS);
            const std::vector<sockaddr_in> too_many(UDP_GROUP_MAX_MEMBERS + 1, good[0]);
            EXPECT_EQ(s.change(option, too_many.data(), 16 * too_many.size()), -ENOBUFS);
            // the second address lies on a page that is not there
            auto page = static_cast<char *>(
                mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
            munmap(page + 4096, 4096);
            memcpy(page + 4080, good.data(), 16);
            EXPECT_EQ(s.change(option, page + 4080, 32), -EFAULT);
            munmap(page, 4096);
        }
    }
    // nothing of them has stayed: all can join, at the slots that there are
    ASSERT_EQ(s.join(out), 0);
    EXPECT_EQ(slots(s), at(a, {{0, 0}, {1, 4}, {2, 2}, {3, 3}, {4, 5}, {5, 6}, {6, 7}}));
    ASSERT_EQ(s.leave(s.members()), 0);
}

TEST_F(Membership, TheSocketsStateCounts)
{
    auto a = many(0x0a000001, 3);
    Receiver r;
    auto refuses = [&](const Sender &s, long err) {
        EXPECT_EQ(s.join(std::span(a).subspan(1, 1)), err);
        EXPECT_EQ(s.leave(std::span(a).first(1)), err);
    };
    Sender s;
    auto dest = reinterpret_cast<const sockaddr *>(&r.address());
    ASSERT_EQ(connect(s.fd(), dest, sizeof(sockaddr_in)), 0);
    refuses(s, -EISCONN);
    sockaddr unspec{};
    unspec.sa_family = AF_UNSPEC;
    ASSERT_EQ(connect(s.fd(), &unspec, sizeof(unspec)), 0);

    ASSERT_EQ(s.set(std::span(a).first(1)), 0);
    {
        Unchanged unchanged(s);
        ASSERT_EQ(s.option(SOL_UDP, UDP_CORK, 1), 0);
        refuses(s, -EBUSY);
        ASSERT_EQ(s.option(SOL_UDP, UDP_CORK, 0), 0);
        ASSERT_EQ(s.send_to("half", r.address(), MSG_MORE), 4);
        refuses(s, -EBUSY);
        ASSERT_EQ(s.send_to("whole", r.address()), 5);
        EXPECT_EQ(r.next(), "halfwhole");
    }
    EXPECT_EQ(s.join(std::span(a).subspan(1)), 0);

    Sender tunnel;
    constexpr int udp_encap = 100, l2tpinudp = 3;
    ASSERT_EQ(tunnel.option(SOL_UDP, udp_encap, l2tpinudp), 0);
    refuses(tunnel, -EBUSY);
    for (auto [domain, type, protocol] : {std::tuple{AF_INET, SOCK_STREAM, 0},
                                          {AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE},
                                          {AF_UNIX, SOCK_DGRAM, 0},
                                          {AF_INET, SOCK_RAW, IPPROTO_UDP}})
        refuses(Sender(domain, type, protocol), -EOPNOTSUPP);
}

TEST_F(Membership, OnlySetgrpIsRead)
{
    Sender s;
    ASSERT_EQ(s.set(many(0x0a000001, 2)), 0);
    for (int option : {SO_ADDGRP, SO_DELGRP}) {
        char buf[64];
        socklen_t len = sizeof(buf);
        EXPECT_EQ(result(getsockopt(s.fd(), SOL_SOCKET, option, buf, &len)), -ENOPROTOOPT);
    }
}

TEST_F(Membership, FlagsStayWithTheSocket)
{
    Receiver r;
    Sender s;
    EXPECT_EQ(s.flags(), 0u);
    EXPECT_EQ(s.set_flags(0), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    EXPECT_EQ(s.stat().totals.generation, 0u);
    EXPECT_EQ(s.send("x"), -EDESTADDRREQ);
    ASSERT_EQ(s.set({&r.address(), 1}), 0);
    EXPECT_EQ(s.send("hello"), 1);
    ASSERT_EQ(s.set({}), 0);
    ASSERT_EQ(s.join({&r.address(), 1}), 0);
    EXPECT_EQ(s.send("hello"), 1);
    EXPECT_EQ(s.flags(), GRP_F_COUNT);

    uint64_t wide = 0;
    auto raw = [&](const void *value, socklen_t len) {
        return result(setsockopt(s.fd(), SOL_SOCKET, SO_GRPFLAGS, value, len));
    };
    for (socklen_t len : {0u, 1u, 3u, 5u, 8u})
        EXPECT_EQ(raw(&wide, len), -EINVAL) << len;
    EXPECT_EQ(raw(nullptr, 4), -EFAULT);
    for (uint32_t bad : {2u, 3u, 0x80000000u, ~0u})
        EXPECT_EQ(s.set_flags(bad), -EINVAL) << bad;
    EXPECT_EQ(s.flags(), GRP_F_COUNT);
    EXPECT_EQ(s.send("hello"), 1);

    auto get = [&](void *value, socklen_t len) {
        long err = result(getsockopt(s.fd(), SOL_SOCKET, SO_GRPFLAGS, value, &len));
        return err ? err : len;
    };
    for (socklen_t len : {0u, 3u, static_cast<socklen_t>(-1)})
        EXPECT_EQ(get(&wide, len), -EINVAL);
    EXPECT_EQ(get(&wide, 8), 4);
    EXPECT_EQ(wide, GRP_F_COUNT);
    EXPECT_EQ(get(nullptr, 4), -EFAULT);

    ASSERT_EQ(s.set_flags(0), 0);
    EXPECT_EQ(s.send("hello"), 5);
    EXPECT_EQ(s.stat().totals.generation, 3u);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(r.next(), "hello");
    EXPECT_TRUE(r.empty());
    EXPECT_EQ(Sender(AF_INET, SOCK_STREAM).set_flags(0), -EOPNOTSUPP);
}

// The system's limit, for as long as this exists.
class Limit {
public:
    explicit Limit(unsigned n) { set(n); }
    ~Limit() { set(UDP_GROUP_MAX_MEMBERS); }
    Limit(const Limit &) = delete;
    Limit &operator=(const Limit &) = delete;
    void set(unsigned n) const { std::ofstream("/proc/sys/net/ipv4/udp_group_max_members") << n; }
};

// In the initial namespace: only there is the limit.
TEST(MembershipLimit, HoldsForJoins)
{
    auto a = many(0x0a000001, 10);
    Limit limit(5);
    Sender s;
    EXPECT_EQ(s.join(std::span(a).first(6)), -ENOBUFS);
    ASSERT_EQ(s.set(std::span(a).first(3)), 0);
    EXPECT_EQ(s.join(std::span(a).subspan(3, 3)), -ENOBUFS);
    ASSERT_EQ(s.join(std::span(a).subspan(3, 2)), 0);
    EXPECT_EQ(s.join({&a[5], 1}), -ENOBUFS);
    ASSERT_EQ(s.leave({&a[1], 1}), 0);
    ASSERT_EQ(s.join({&a[5], 1}), 0);
    EXPECT_EQ(slots(s), at(a, {{0, 0}, {1, 5}, {2, 2}, {3, 3}, {4, 4}}));
    // lowered, it is for what is changed later; whoever wants to may leave
    limit.set(2);
    EXPECT_EQ(s.stat().totals.members, 5u);
    ASSERT_EQ(s.leave({&a[0], 1}), 0);
    EXPECT_EQ(s.join({&a[0], 1}), -ENOBUFS);
    ASSERT_EQ(s.leave(std::span(a).subspan(3, 3)), 0);
    ASSERT_EQ(s.join({&a[0], 1}), 0);
    EXPECT_EQ(slots(s), at(a, {{0, 0}, {2, 2}}));
}

TEST(MembershipLimit, IsReachedAndNotPassed)
{
    auto a = many(0x0a000001, UDP_GROUP_MAX_MEMBERS + 1);
    const auto &last = a.back();
    Sender s;
    ASSERT_EQ(s.join(std::span(a).first(UDP_GROUP_MAX_MEMBERS - 1)), 0);
    EXPECT_EQ(s.join(std::span(a).last(2)), -ENOBUFS);
    ASSERT_EQ(s.join({&a[UDP_GROUP_MAX_MEMBERS - 1], 1}), 0);
    EXPECT_EQ(s.join({&last, 1}), -ENOBUFS);
    EXPECT_EQ(s.stat().totals.slots, static_cast<unsigned>(UDP_GROUP_MAX_MEMBERS));
    for (size_t slot : {0, 63, 4095, 40000, UDP_GROUP_MAX_MEMBERS - 1}) {
        ASSERT_EQ(s.leave({&a[slot], 1}), 0);
        ASSERT_EQ(s.join({&last, 1}), 0);
        auto members = s.members();
        ASSERT_EQ(members.size(), static_cast<size_t>(UDP_GROUP_MAX_MEMBERS));
        EXPECT_EQ(members[slot], last);
        EXPECT_EQ(s.join({&a[slot], 1}), -ENOBUFS);
        ASSERT_EQ(s.leave({&last, 1}), 0);
        ASSERT_EQ(s.join({&a[slot], 1}), 0);
    }
    a.pop_back();
    EXPECT_EQ(s.members(), a);
    ASSERT_EQ(s.leave(a), 0);
    EXPECT_EQ(s.stat().totals.members, 0u);
}

} // namespace
} // namespace selftest
