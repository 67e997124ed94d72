// SPDX-License-Identifier: GPL-2.0-only
// Members come and go, in great number and while others send.

#include "messages.hpp"
#include "slow.hpp"

#include <chrono>
#include <map>
#include <random>

namespace selftest {
namespace {

using clock = std::chrono::steady_clock;

class Churn : public SlowDevice {};

// A device that takes everything; 10.16/12 is behind a router on it.
void fast_device()
{
    run("ip link add d0 type dummy; ip link set d0 up; ip addr add 10.8.0.1/16 dev d0");
    run("ip neigh add 10.8.0.2 lladdr 02:00:00:00:00:02 dev d0; "
        "ip route add 10.16.0.0/12 via 10.8.0.2");
}

TEST_F(Churn, ChangesHoldFromTheNextSendOn)
{
    std::vector<Receiver> rs(3);
    auto a = addresses(rs);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    for (int i = 0; i < 200; i++) {
        auto who = static_cast<size_t>(i % 3);
        ASSERT_EQ(s.leave({&a[who], 1}), 0);
        EXPECT_EQ(s.send("without"), 7);
        ASSERT_EQ(s.join({&a[who], 1}), 0);
        EXPECT_EQ(s.send("with"), 4);
        for (size_t r = 0; r < 3; r++) {
            if (r != who) {
                EXPECT_EQ(rs[r].next(), "without");
            }
            EXPECT_EQ(rs[r].next(), "with");
        }
    }
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.generation, 401u);
}

// What a group should be, kept in the simplest way there is.
class Model {
public:
    bool join(const std::vector<uint32_t> &who)
    {
        auto before = slots_;
        for (uint32_t m : who) {
            if (slot_of(m) >= 0) {
                slots_ = before;
                return false;
            }
            uint32_t hole = 0;
            while (slots_.count(hole))
                hole++;
            slots_[hole] = {m, 0, 0};
        }
        generation++;
        return true;
    }
    bool leave(const std::vector<uint32_t> &who)
    {
        auto before = slots_;
        for (uint32_t m : who) {
            long slot = slot_of(m);
            if (slot < 0) {
                slots_ = before;
                return false;
            }
            slots_.erase(static_cast<uint32_t>(slot));
        }
        generation++;
        return true;
    }
    bool set(const std::vector<uint32_t> &who)
    {
        auto before = slots_;
        slots_.clear();
        if (who.empty()) {
            generation += !before.empty();
            return true;
        }
        if (join(who))
            return true;
        slots_ = before;
        return false;
    }
    void send(const std::vector<uint32_t> &skip)
    {
        for (auto &[slot, m] : slots_)
            (std::find(skip.begin(), skip.end(), m.who) == skip.end() ? m.sent : m.skipped)++;
    }
    struct Member {
        uint32_t who;
        uint64_t sent, skipped;
        bool operator==(const Member &) const = default;
    };
    const std::map<uint32_t, Member> &slots() const { return slots_; }
    uint64_t generation = 0;

private:
    long slot_of(uint32_t who) const
    {
        for (const auto &[slot, m] : slots_)
            if (m.who == who)
                return slot;
        return -1;
    }
    std::map<uint32_t, Member> slots_;
};

void expect_like(const Sender &s, const Model &model)
{
    auto stat = s.stat();
    std::map<uint32_t, Model::Member> is;
    for (const auto &m : stat.members)
        is[m.slot] = {ntohl(m.addr.in.sin_addr.s_addr) - 0x0a100001, m.sent, m.skipped};
    ASSERT_TRUE(is == model.slots());
    ASSERT_EQ(stat.totals.generation, model.generation);
    ASSERT_EQ(stat.totals.members, is.size());
    ASSERT_EQ(stat.totals.slots, is.empty() ? 0 : is.rbegin()->first + 1);
    ASSERT_EQ(s.members().size(), is.size());
}

// Random changes of random size, of which many are refused, and sends.
void walk(uint32_t universe, uint32_t at_once, int steps)
{
    std::mt19937 random(universe);
    auto pick = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
    auto addrs = many(0x0a100001, universe);
    Sender s;
    Model model;
    int refused = 0, done = 0;
    for (int step = 0; step < steps; step++) {
        SCOPED_TRACE("step " + std::to_string(step));
        std::vector<uint32_t> who;
        std::vector<sockaddr_in> named;
        for (uint32_t left = 1 + pick(pick(2) ? 3 : at_once); left; left--) {
            // mostly such that it can be done, in any order
            uint32_t m = pick(universe);
            if (pick(50) && std::find(who.begin(), who.end(), m) != who.end())
                continue;
            who.push_back(m);
        }
        uint32_t what = pick(20);
        if (pick(4)) {
            bool joins = what < 9;
            std::erase_if(who, [&](uint32_t m) {
                bool is = false;
                for (const auto &[slot, member] : model.slots())
                    is = is || member.who == m;
                return is == joins && what < 18;
            });
            if (who.empty())
                continue;
        }
        for (uint32_t m : who)
            named.push_back(addrs[m]);
        long expected = 0, is = 0;
        if (what < 9) {
            expected = model.join(who) ? 0 : -EADDRINUSE;
            is = s.join(named);
        } else if (what < 18) {
            expected = model.leave(who) ? 0 : -EADDRNOTAVAIL;
            is = s.leave(named);
        } else if (what == 18 && pick(5) == 0) {
            if (pick(3) == 0)
                who.clear();
            named.resize(who.size());
            expected = model.set(who) ? 0 : -EADDRINUSE;
            is = s.set(named);
        } else if (!model.slots().empty()) {
            model.send(who);
            expected = 1;
            is = Message("x", Control().skip(named)).send(s);
        }
        ASSERT_EQ(is, expected);
        refused += expected < 0;
        done += expected == 0;
        ASSERT_NO_FATAL_FAILURE(expect_like(s, model));
    }
    EXPECT_GT(refused, steps / 30);
    EXPECT_GT(done, steps / 3);
}

TEST_F(Churn, LikeTheModelInASmallGroup)
{
    fast_device();
    walk(150, 40, 3000);
}

TEST_F(Churn, LikeTheModelInALargeGroup)
{
    fast_device();
    walk(5000, 1500, 100);
}

// While others come and go around them, those that stay get everything once, in
// order, and what they are left out of they do not get.
TEST_F(Churn, WhoStaysGetsEverythingOnce)
{
    constexpr size_t stay = 12, come_and_go = 150;
    constexpr uint32_t sends = 600;
    fast_device();
    std::vector<Receiver> rs(stay);
    for (auto &r : rs) {
        int large = 4 << 20;
        setsockopt(r.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large));
    }
    auto a = addresses(rs);
    auto others = many(0x0a100001, come_and_go);
    // those that stay are apart, in all leaves
    std::vector<sockaddr_in> first;
    for (size_t i = 0; i < stay; i++) {
        first.push_back(a[i]);
        first.insert(first.end(), others.begin() + static_cast<long>(i * 10),
                     others.begin() + static_cast<long>(i * 10 + 10));
    }
    Sender s;
    ASSERT_EQ(s.set(first), 0);
    ASSERT_EQ(s.leave(std::span(others).first(stay * 10)), 0);
    std::atomic<bool> done = false;
    std::atomic<long> changes = 0;
    std::thread change([&] {
        std::mt19937 random(1);
        std::vector<bool> in(come_and_go);
        while (!done) {
            std::vector<sockaddr_in> batch;
            bool join = random() % 2;
            for (size_t i = 0; i < come_and_go; i++)
                if (in[i] != join && random() % 8 == 0) {
                    in[i] = join;
                    batch.push_back(others[i]);
                }
            if (batch.empty())
                continue;
            EXPECT_EQ(join ? s.join(batch) : s.leave(batch), 0);
            changes++;
        }
    });
    // two senders; of the second one's, each is without one of those that stay
    auto send = [&](uint32_t which) {
        for (uint32_t i = 0; i < sends; i++) {
            // whoever is faster: as many changes as sends there are in any case
            while (changes <= i)
                std::this_thread::yield();
            std::string data = std::to_string(which) + ":" + std::to_string(i);
            Control control;
            if (which)
                control.skip({&a[i % stay], 1});
            EXPECT_EQ(Message(data, control).send(s), static_cast<long>(data.size()));
        }
    };
    std::thread second(send, 1);
    send(0);
    second.join();
    done = true;
    change.join();
    EXPECT_GT(changes, 500);
    RecordProperty("changes", static_cast<int>(changes.load()));

    auto stat = s.stat();
    std::map<std::string, const udp_grpstat_member *> records;
    for (const auto &m : stat.members)
        records[std::to_string(m.addr.in.sin_addr.s_addr) + ":" +
                std::to_string(m.addr.in.sin_port)] = &m;
    for (size_t r = 0; r < stay; r++) {
        uint32_t next[2] = {}, skipped = 0, due = size_t{2} * sends - sends / stay;
        // those that are due are waited for, others not
        for (uint32_t n = 0; auto data = rs[r].next(n < due ? 0 : MSG_DONTWAIT); n++) {
            uint32_t which = data->at(0) == '1';
            for (; which && next[1] % stay == r; next[1]++)
                skipped++;
            EXPECT_EQ(*data, std::to_string(which) + ":" + std::to_string(next[which]));
            next[which]++;
        }
        for (; next[1] < sends && next[1] % stay == r; next[1]++)
            skipped++;
        EXPECT_EQ(next[0], sends);
        EXPECT_EQ(next[1], sends);
        const auto *m =
            records[std::to_string(a[r].sin_addr.s_addr) + ":" + std::to_string(a[r].sin_port)];
        ASSERT_TRUE(m);
        EXPECT_EQ(m->slot, r * 11);
        EXPECT_EQ(m->sent, 2 * sends - skipped);
        EXPECT_EQ(m->skipped, skipped);
    }
    EXPECT_EQ(stat.totals.sends, uint64_t{2} * sends);
    EXPECT_EQ(stat.totals.skipped, sends);
    EXPECT_EQ(stat.totals.failed + stat.totals.unreached, 0u);
}

// Sends that block hold the version that they began with: it is theirs, however
// many come after it, up to a number; and it is let go of when they are over.
TEST_F(Churn, OldVersionsAreBounded)
{
    constexpr size_t most = 1024;
    stuck_device();
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 5000), 0);
    catch_signal();
    auto others = many(0x0a090100, most + 1);
    ASSERT_EQ(s.set(many(0x0a090002, 40)), 0);
    ASSERT_EQ(s.send(hundred, MSG_DONTWAIT), 100); // what follows finds no room

    std::vector<std::thread> blocked;
    long err = 0;
    for (size_t versions = 1; versions <= most; versions++) {
        blocked.push_back(waiting_thread([&s] { EXPECT_EQ(s.send(hundred), -EINTR); }));
        err = versions % 2 ? s.join({&others[versions], 1}) : s.leave({&others[versions - 1], 1});
        if (versions < most) {
            ASSERT_EQ(err, 0) << versions;
        }
    }
    EXPECT_EQ(err, -EBUSY);
    EXPECT_EQ(s.join({&others[0], 1}), -EBUSY);
    EXPECT_EQ(s.leave({&others[most - 1], 1}), -EBUSY);
    EXPECT_EQ(s.stat().totals.generation, most);
    for (auto &t : blocked) {
        pthread_kill(t.native_handle(), SIGUSR1);
        t.join();
    }
    EXPECT_EQ(s.stat().totals.sends, 1u);
    EXPECT_EQ(s.leave({&others[most - 1], 1}), 0);
    EXPECT_EQ(s.stat().totals.members, 40u);
}

// A send that blocks holds one version. Those that came after it and are not in
// use any more nobody holds, so they do not count, however many there were.
TEST_F(Churn, ReplacedVersionsAreNotHeldByAnOlderOne)
{
    stuck_device();
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 5000), 0);
    catch_signal();
    ASSERT_EQ(s.set(many(0x0a090002, 40)), 0);
    ASSERT_EQ(s.send(hundred, MSG_DONTWAIT), 100); // what follows finds no room
    std::thread blocked = waiting_thread([&s] { EXPECT_EQ(s.send(hundred), -EINTR); });
    const auto other = address("10.9.200.1", 9);
    for (uint32_t i = 0; i < 40; i++) {
        EXPECT_EQ(s.set(many(0x0a090100 + i, 10)), 0) << i;
        EXPECT_EQ(s.join({&other, 1}), 0) << i;
    }
    EXPECT_EQ(s.set({}), 0);
    pthread_kill(blocked.native_handle(), SIGUSR1);
    blocked.join();
}

// The middle one of many joins with the leave after it, in microseconds, while
// two threads send.
double cost(size_t members)
{
    auto a = many(0x0a100001, members);
    const auto other = address("10.31.255.254", 9);
    Sender s;
    EXPECT_EQ(s.set(a), 0);
    std::atomic<bool> done = false;
    std::vector<std::thread> senders;
    for (int i = 0; i < 2; i++)
        senders.emplace_back([&] {
            while (!done)
                EXPECT_EQ(s.send("x"), 1);
        });
    std::vector<double> times(1500);
    for (auto &t : times) {
        auto start = clock::now();
        EXPECT_EQ(s.join({&other, 1}), 0);
        EXPECT_EQ(s.leave({&other, 1}), 0);
        t = std::chrono::duration<double, std::micro>(clock::now() - start).count();
    }
    done = true;
    for (auto &t : senders)
        t.join();
    std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2),
                     times.end());
    return times[times.size() / 2];
}

TEST_F(Churn, CostsTheSameInALargeGroup)
{
    fast_device();
    double small = 0, large = 0;
    // a guest's processors are taken away at times
    for (int i = 0; i < 5; i++) {
        small = cost(100);
        large = cost(UDP_GROUP_MAX_MEMBERS - 1);
        if (large < 1.5 * small)
            break;
    }
    RecordProperty("join_and_leave_of_100_us", std::to_string(small));
    RecordProperty("join_and_leave_of_65535_us", std::to_string(large));
    printf("a join and a leave: %.1f us with 100 members, %.1f us with 65,535\n", small, large);
    EXPECT_LT(large, 1.5 * small);
}

} // namespace
} // namespace selftest
