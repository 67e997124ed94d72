// SPDX-License-Identifier: GPL-2.0-only
// Every send sees one version of the group, whoever changes it meanwhile. A
// version is a set of receivers; so the receivers of one send are a version, and
// one that was in use while the send ran.

#include "../selftests/messages.hpp"
#include "endpoint.hpp"

#include <map>
#include <memory>
#include <thread>

namespace torture {
namespace {

using selftest::monotonic;
using selftest::Way;

struct Interval {
    uint64_t begin, end;
};

// Receivers 0 to 15, between whom are others, so that a send is in many batches.
constexpr size_t nr_receivers = 16;
constexpr uint32_t enough = 10;

class Snapshot : public testing::TestWithParam<std::tuple<int, Way>> {
protected:
    static void SetUpTestSuite()
    {
        ns_ = std::make_unique<selftest::NetNs>();
        with_ip6();
        run("ip link add d0 type dummy; ip link set d0 up; ip addr add 10.8.0.1/16 dev d0");
    }
    static void TearDownTestSuite() { ns_.reset(); }
    Snapshot()
    {
        int family = std::get<0>(GetParam());
        fd_ = Fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        for (size_t r = 0; r < nr_receivers; r++) {
            receivers_.emplace_back(family == AF_INET6 && r % 3 ? "::1" : "127.0.0.1");
            between_.emplace_back();
            for (size_t i = 1; i < 6; i++)
                between_[r] += packed("10.8.1." + std::to_string(r * 10 + i), 9);
        }
    }
    long change(int option, const std::string &addrs) const
    {
        return torture::change(fd_.get(), option, addrs);
    }
    // Two threads send while two make changes, and all is received.
    template <typename Change> void race(Change change_until)
    {
        std::atomic<bool> done = false;
        std::atomic<uint32_t> next = 0, changes = 0;
        std::vector<std::thread> threads;
        for (int which = 0; which < 2; which++) {
            threads.emplace_back([&, which] { change_until(which, changes, done); });
            threads.emplace_back([&, which] { send_until(next, sends_[which], done); });
        }
        const auto end = monotonic() + seconds() * 1000000000;
        // however slow the machine is
        while (monotonic() < end || next < 2 * enough || changes < 2 * enough)
            receive();
        done = true;
        for (auto &t : threads)
            t.join();
        receive();
    }
    // Who got a send.
    uint32_t receivers_of(uint32_t number) { return got_[number]; }
    const Interval *send_of(uint32_t number) const
    {
        for (const auto &sends : sends_)
            if (auto s = sends.find(number); s != sends.end())
                return &s->second;
        return nullptr;
    }
    std::vector<uint32_t> numbers() const
    {
        std::vector<uint32_t> n;
        for (const auto &sends : sends_)
            for (const auto &[number, when] : sends)
                n.push_back(number);
        return n;
    }
    static uint64_t seconds()
    {
        const char *text = getenv("TORTURE_SNAPSHOT_SECONDS");
        return text ? strtoul(text, nullptr, 10) : 1;
    }

    std::vector<Endpoint> receivers_;
    std::vector<std::string> between_;

private:
    void send_until(std::atomic<uint32_t> &next, std::map<uint32_t, Interval> &sends,
                    const std::atomic<bool> &done) const
    {
        const auto &way = std::get<1>(GetParam());
        auto control = way.control;
        while (!done) {
            uint32_t number = next++;
            iovec iov{&number, sizeof(number)};
            msghdr msg{};
            msg.msg_iov = &iov;
            msg.msg_iovlen = 1;
            msg.msg_control = control.size() ? control.data() : nullptr;
            msg.msg_controllen = control.size();
            auto begin = monotonic();
            long sent = result(sendmsg(fd_.get(), &msg, way.flags));
            EXPECT_EQ(sent, 4);
            sends[number] = {begin, monotonic()};
        }
    }
    void receive()
    {
        for (size_t r = 0; r < nr_receivers; r++) {
            uint32_t number = 0;
            while (recv(receivers_[r].fd(), &number, sizeof(number), MSG_DONTWAIT) == 4) {
                EXPECT_FALSE(got_[number] & 1U << r) << "got " << number << " twice";
                got_[number] |= 1U << r;
            }
        }
    }
    static inline std::unique_ptr<selftest::NetNs> ns_;
    Fd fd_;
    std::map<uint32_t, Interval> sends_[2];
    std::map<uint32_t, uint32_t> got_;
};

INSTANTIATE_TEST_SUITE_P(By, Snapshot,
                         testing::Combine(testing::Values(AF_INET, AF_INET6),
                                          testing::ValuesIn(selftest::ways())),
                         [](const auto &p) {
                             return std::get<1>(p.param).name +
                                    std::string(std::get<0>(p.param) == AF_INET ? "" : "6");
                         });

// Groups that are set: each is another set of receivers, which is its number.
TEST_P(Snapshot, OfGroupsThatAreSet)
{
    auto set_of = [&](uint32_t version) {
        std::string addrs;
        for (size_t r = 0; r < nr_receivers; r++)
            addrs += between_[r] + (version >> r & 1 ? receivers_[r].address() : std::string());
        return addrs;
    };
    // an odd factor permutes the numbers of 16 bits: neighbours have little in common
    std::atomic<uint32_t> next = 2;
    auto number = [](uint32_t change) { return change * 40503 & 0xffff; };
    std::map<uint32_t, Interval> versions[2];
    ASSERT_EQ(change(SO_SETGRP, set_of(number(1))), 0);
    const auto begin = monotonic();
    race([&](int which, std::atomic<uint32_t> &changes, const std::atomic<bool> &done) {
        for (uint32_t c; !done && (c = next++) < 0x10000;) {
            auto addrs = set_of(number(c));
            auto now = monotonic();
            EXPECT_EQ(change(SO_SETGRP, addrs), 0);
            versions[which][number(c)] = {now, monotonic()};
            changes++;
        }
    });
    std::map<uint32_t, Interval> all = versions[0];
    all.insert(versions[1].begin(), versions[1].end());
    all[number(1)] = {begin, begin};
    // when the last of those that had begun by then was over, for each moment
    std::vector<Interval> by_end;
    for (const auto &[n, when] : all)
        by_end.push_back(when);
    std::sort(by_end.begin(), by_end.end(),
              [](const auto &a, const auto &b) { return a.end < b.end; });
    uint64_t latest = 0;
    std::map<uint64_t, uint64_t> latest_begin; // by end: of all that ended until then
    for (const auto &i : by_end)
        latest_begin[i.end] = latest = std::max(latest, i.begin);

    const auto sent = numbers();
    for (uint32_t n : sent) {
        auto version = all.find(receivers_of(n));
        ASSERT_NE(version, all.end()) << "send " << n << " went to a group that there never was";
        const auto *send = send_of(n);
        EXPECT_LT(version->second.begin, send->end) << "send " << n << " saw the future";
        // nobody's change had replaced it for good before the send
        auto over = latest_begin.lower_bound(send->begin);
        if (over != latest_begin.begin()) {
            EXPECT_LE(std::prev(over)->second, version->second.end)
                << "send " << n << " went to a group that had been replaced";
        }
    }
    EXPECT_GT(sent.size(), enough);
    EXPECT_GT(all.size(), enough);
    printf("%zu sends saw one of %zu versions each\n", sent.size(), all.size());
}

// Halves of the group join and leave as wholes, each by the hand of one thread.
TEST_P(Snapshot, OfJoinsAndLeaves)
{
    std::string half[2], others;
    for (size_t r = 0; r < nr_receivers; r++) {
        half[r % 2] += receivers_[r].address();
        others += between_[r];
    }
    const uint32_t bits[2] = {0x5555, 0xaaaa};
    ASSERT_EQ(change(SO_SETGRP, others + half[0] + half[1]), 0);
    std::vector<Interval> changes[2]; // it leaves, joins, leaves ...
    race([&](int which, std::atomic<uint32_t> &made, const std::atomic<bool> &done) {
        for (bool leave = true; !done; leave = !leave) {
            auto now = monotonic();
            EXPECT_EQ(change(leave ? SO_DELGRP : SO_ADDGRP, half[which]), 0);
            changes[which].push_back({now, monotonic()});
            made++;
        }
    });
    const auto sent = numbers();
    for (uint32_t n : sent) {
        uint32_t who = receivers_of(n);
        const auto *send = send_of(n);
        for (int which = 0; which < 2; which++) {
            bool in = (who & bits[which]) == bits[which];
            EXPECT_TRUE(in || !(who & bits[which])) << "send " << n << " saw a part of a change";
            // it is in after an even number of changes, one that the send can have seen
            auto first = std::lower_bound(changes[which].begin(), changes[which].end(), send->begin,
                                          [](const Interval &c, uint64_t t) { return c.end < t; });
            auto last = std::lower_bound(first, changes[which].end(), send->end,
                                         [](const Interval &c, uint64_t t) { return c.begin < t; });
            bool possible = last - first > 0 || ((first - changes[which].begin()) % 2 == 0) == in;
            EXPECT_TRUE(possible) << "send " << n << " saw a version that was not in use";
        }
    }
    EXPECT_GT(sent.size(), enough);
    EXPECT_GT(changes[0].size() + changes[1].size(), enough);
    printf("%zu sends saw %zu changes each as a whole\n", sent.size(),
           changes[0].size() + changes[1].size());
}

} // namespace
} // namespace torture
