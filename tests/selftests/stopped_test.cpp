// SPDX-License-Identifier: GPL-2.0-only
// A send that is stopped among holes, members that are left out and members that
// fail: each slot passed is one of these or was sent to, and the rest of the members
// is unreached. Who counts slots goes on exactly there.

#include "families.hpp"
#include "gate.hpp"
#include "slow.hpp"

#include <sys/mman.h>

#include <set>

namespace selftest {
namespace {

constexpr uint32_t slots = 160, first = 3, count = 140, end = first + count;
constexpr uint32_t own = 256, page = 4096;
constexpr size_t shared = 20, size = size_t{count} * own + shared;

// What a slot is, by its number.
constexpr bool is_hole(uint32_t slot) { return slot % 8 == 3; }
constexpr bool is_skipped(uint32_t slot) { return slot % 8 == 4; }
constexpr bool is_failing(uint32_t slot) { return slot % 8 == 6; }
constexpr bool is_sent_to(uint32_t slot)
{
    return !is_hole(slot) && !is_skipped(slot) && !is_failing(slot);
}

// The data of a send: a prefix for each slot, which begins with the slot's number.
class Prefixes {
public:
    Prefixes()
        : at_(static_cast<char *>(
              mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)))
    {
        if (at_ == MAP_FAILED)
            throw std::runtime_error("mmap");
        for (uint32_t slot = first; slot < end; slot++)
            memcpy(of(slot), &slot, sizeof(slot));
    }
    ~Prefixes() { munmap(at_, room); }
    Prefixes(const Prefixes &) = delete;
    Prefixes &operator=(const Prefixes &) = delete;
    // That of this slot, at which those behind it and what is shared follow.
    char *of(uint32_t slot) const { return at_ + size_t{slot - first} * own; }
    // From this slot on, for as many as a page has, there are no data; or are again.
    void tear(uint32_t slot) const { protect(slot, PROT_NONE); }
    void mend(uint32_t slot) const { protect(slot, PROT_READ | PROT_WRITE); }

private:
    void protect(uint32_t slot, int how) const
    {
        if (mprotect(of(slot), page, how) < 0)
            throw std::runtime_error("mprotect");
    }
    static constexpr size_t room = (size / page + 1) * page;
    char *at_;
};

class Stopped : public InBoth, public testing::WithParamInterface<std::tuple<Mix, Way>> {
protected:
    Stopped()
    {
        // all of these are here
        run("ip addr add fd77::ffff/128 dev lo && ip -6 route add local fd77::/64 dev lo");
        const uint16_t port = ntohs(sink.address().in6.sin6_port);
        const std::string mix = std::get<0>(GetParam()).name;
        for (uint32_t i = 0; i < slots; i++) {
            const auto n = std::to_string(i + 1);
            if (mix == "V4" || (mix == "Mixed" && i % 3))
                a.push_back(either((is_failing(i) ? "10.77.0." : "127.7.0.") + n, port));
            else
                a.push_back(either((is_failing(i) ? "2001:db8::" : "fd77::") + n, port));
            if (is_hole(i))
                leave.push_back(a[i]);
            if (is_skipped(i))
                skip.push_back(a[i]);
        }
    }
    // Those between these slots that were sent to have what is theirs, and nobody
    // has anything else.
    void expect_arrived(uint32_t from, uint32_t to) const
    {
        std::multiset<uint32_t> wanted, arrived;
        for (uint32_t slot = from; slot < to; slot++)
            if (is_sent_to(slot))
                wanted.insert(slot);
        for (size_t i = 0; i < wanted.size(); i++) {
            const auto data = sink.next();
            ASSERT_TRUE(data) << arrived.size() << " of " << wanted.size();
            ASSERT_EQ(data->size(), own + shared);
            uint32_t slot = 0;
            memcpy(&slot, data->data(), sizeof(slot));
            arrived.insert(slot);
        }
        EXPECT_EQ(arrived, wanted);
        EXPECT_TRUE(sink.empty());
    }
    Peer sink{either("::", 0)};
    std::vector<Address> a, leave, skip;
};

// One way of either path
INSTANTIATE_TEST_SUITE_P(Of, Stopped,
                         testing::Combine(testing::ValuesIn(mixes()),
                                          testing::Values(ways().front(), ways().back())),
                         [](const auto &info) {
                             return std::string(std::get<0>(info.param).name) +
                                    std::get<1>(info.param).name;
                         });

// A socket that sends once, and counted once more for the rest.
class OneSend {
public:
    OneSend(const Mix &mix, Way way, uint32_t counted, std::span<const Address> a,
            std::span<const Address> leave, std::span<const Address> skip)
        : s(mix.domain), way_(std::move(way)), counted_(counted), skip_(skip.begin(), skip.end())
    {
        if (change(s, SO_SETGRP, a) || change(s, SO_DELGRP, leave) || s.set_flags(counted) ||
            s.option(SOL_SOCKET, SO_SNDBUF, 10000))
            throw std::runtime_error("group");
    }
    // To the slots from this one on.
    long send(uint32_t from, int flags = 0)
    {
        Control control = skipping(way_.control, skip_)
                              .range(from, end - from)
                              .own(s.stat().totals.generation, own);
        iovec iov{prefixes.of(from), size - size_t{from - first} * own};
        msghdr msg{};
        msg.msg_iov = &iov;
        msg.msg_iovlen = 1;
        msg.msg_control = control.data();
        msg.msg_controllen = control.size();
        return result(sendmsg(s.fd(), &msg, way_.flags | flags));
    }
    // How far a first send has come, if its outcome is what it should be.
    uint32_t stopped_at(long outcome) const
    {
        const auto t = s.stat().totals;
        const auto n = static_cast<uint32_t>(t.sent + t.failed + t.skipped + t.holes);
        EXPECT_EQ(outcome, static_cast<long>(counted_ ? n : size));
        // all kinds are among those passed, and there was a rest
        EXPECT_GT(n, 8u);
        EXPECT_LT(n, count);
        expect_passed(first + n, 1);
        return first + n;
    }
    // The next send passes the rest, and is stopped by nothing.
    void go_on(uint32_t from)
    {
        ASSERT_EQ(send(from), static_cast<long>(end - from));
        expect_passed(end, 2);
    }
    Sender s;
    Prefixes prefixes;

private:
    // Each slot of the range before this one was passed, once, and no other.
    void expect_passed(uint32_t to, uint64_t sends) const
    {
        const auto stat = s.stat();
        uint64_t beyond = 0;
        for (const auto &m : stat.members) {
            const bool in = m.slot >= first && m.slot < to;
            beyond += m.slot >= to && m.slot < end;
            EXPECT_EQ(m.skipped, in && is_skipped(m.slot)) << m.slot;
            EXPECT_EQ(m.failed, in && is_failing(m.slot)) << m.slot;
            EXPECT_EQ(m.error, m.failed ? ENETUNREACH : 0) << m.slot;
            EXPECT_EQ(m.sent, in && is_sent_to(m.slot)) << m.slot;
        }
        const auto &t = stat.totals;
        EXPECT_EQ(t.sends, sends);
        EXPECT_EQ(t.sent + t.failed + t.skipped + t.holes, to - first);
        EXPECT_EQ(t.unreached, counted_ ? 0 : beyond);
    }
    Way way_;
    uint32_t counted_;
    std::vector<Address> skip_;
};

TEST_P(Stopped, ByAFullBuffer)
{
    const auto &[mix, way] = GetParam();
    for (uint32_t counted : {0u, GRP_F_COUNT}) {
        SCOPED_TRACE(counted);
        OneSend one(mix, way, counted, a, leave, skip);
        Gate gate;
        const auto at = one.stopped_at(one.send(first, MSG_DONTWAIT));
        if (counted) {
            // it is still full, and that is nobody's failure
            const auto before = one.s.stat().totals;
            EXPECT_EQ(one.send(at, MSG_DONTWAIT), -EAGAIN);
            const auto after = one.s.stat().totals;
            EXPECT_EQ(memcmp(&after, &before, sizeof(after)), 0);
        }
        gate.open();
        if (counted)
            one.go_on(at);
        expect_arrived(first, counted ? end : at);
    }
}

TEST_P(Stopped, ByItsTimeout)
{
    const auto &[mix, way] = GetParam();
    for (uint32_t counted : {0u, GRP_F_COUNT}) {
        SCOPED_TRACE(counted);
        OneSend one(mix, way, counted, a, leave, skip);
        set_send_timeout(one.s, 0.05);
        Gate gate;
        const auto at = one.stopped_at(one.send(first));
        gate.open();
        set_send_timeout(one.s, 0);
        if (counted)
            one.go_on(at);
        expect_arrived(first, counted ? end : at);
    }
}

TEST_P(Stopped, ByASignal)
{
    const auto &[mix, way] = GetParam();
    catch_signal();
    for (uint32_t counted : {0u, GRP_F_COUNT}) {
        SCOPED_TRACE(counted);
        OneSend one(mix, way, counted, a, leave, skip);
        Gate gate;
        long outcome = 0;
        std::thread sender = waiting_thread([&] { outcome = one.send(first); });
        pthread_kill(sender.native_handle(), SIGUSR1);
        sender.join();
        const auto at = one.stopped_at(outcome);
        gate.open();
        if (counted)
            one.go_on(at);
        expect_arrived(first, counted ? end : at);
    }
}

TEST_P(Stopped, ByDataThatAreNotThere)
{
    const auto &[mix, way] = GetParam();
    // at a hole, behind which is one who is left out: these need no data
    constexpr uint32_t torn = first + 4 * page / own;
    static_assert(is_hole(torn) && is_skipped(torn + 1) && is_sent_to(torn + 2));
    for (uint32_t counted : {0u, GRP_F_COUNT}) {
        SCOPED_TRACE(counted);
        OneSend one(mix, way, counted, a, leave, skip);
        ASSERT_EQ(one.s.option(SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20), 0);
        one.prefixes.tear(torn);
        const auto at = one.stopped_at(one.send(first));
        EXPECT_EQ(at, torn + 2);
        if (counted) {
            EXPECT_EQ(one.send(at), -EFAULT);
        }
        one.prefixes.mend(torn);
        if (counted)
            one.go_on(at);
        expect_arrived(first, counted ? end : at);
    }
}

} // namespace
} // namespace selftest
