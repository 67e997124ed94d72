// SPDX-License-Identifier: GPL-2.0-only
// A send sees one version of the group, whatever other threads do to it.

#include "support.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>

namespace library_test {
namespace {

constexpr int senders = 2;
constexpr int sends = 50; // all of them fit a receiver's buffer

// Members between the first receivers of a version and the others, so many that
// no system call of the sendmmsg backend reaches both.
constexpr size_t fillers = 1100;

class Concurrency : public testing::Test {
protected:
    Concurrency() : receivers_(24), sink_("0.0.0.0")
    {
        auto addrs = addresses(receivers_);
        versions_ = {{addrs.begin(), addrs.begin() + 10},
                     {addrs.begin() + 5, addrs.begin() + 20},
                     {addrs.begin() + 12, addrs.end()},
                     {}};
    }

    template <typename Call> static void in_threads(Call call)
    {
        std::vector<std::thread> threads;
        threads.reserve(senders);
        for (int i = 0; i < senders; i++)
            threads.emplace_back(call, i);
        for (auto &thread : threads)
            thread.join();
    }

    // A group of these receivers. What goes to the others comes to one socket,
    // which nobody reads.
    std::vector<sockaddr_in> with_fillers(std::vector<sockaddr_in> addrs) const
    {
        std::vector<sockaddr_in> more(fillers, sink_.address());
        for (size_t i = 0; i < fillers; i++)
            more[i].sin_addr.s_addr = htonl(0x7f090001U + static_cast<uint32_t>(i));
        if (!addrs.empty())
            addrs.insert(addrs.begin() + 5, more.begin(), more.end());
        return addrs;
    }

    void send_some(int thread, int first, int count)
    {
        for (int i = first; i < first + count; i++) {
            std::string id = std::to_string(thread) + "." + std::to_string(i);
            ssize_t sent = sender_.send(id);
            if (sent == -EDESTADDRREQ)
                refused_[thread].insert(id);
            else
                EXPECT_EQ(sent, static_cast<ssize_t>(id.size()));
        }
    }

    // Now and then a change comes for sure; mostly they come as they happen to.
    void send_while_it_changes(int thread)
    {
        for (int i = 0; i < sends; i += 10) {
            uint64_t before = changes_;
            while (changes_ == before)
                std::this_thread::yield();
            send_some(thread, i, 10);
        }
        done_++;
    }

    void replace_until_done()
    {
        size_t version = 0;
        while (done_ < senders) {
            int err = sender_.set(with_fillers(versions_[++version % versions_.size()]));
            // The kernel bounds how many versions live at once
            EXPECT_TRUE(err == 0 || err == -EBUSY) << err;
            changes_ += err == 0;
        }
        EXPECT_EQ(sender_.generation(), changes_ + 1);
    }

    void look_until_done() const
    {
        while (done_ < senders) {
            for (size_t count : {sender_.stat().members.size(), sender_.members().size()}) {
                auto is_of = [&](const auto &v) { return with_fillers(v).size() == count; };
                EXPECT_TRUE(std::any_of(versions_.begin(), versions_.end(), is_of)) << count;
            }
        }
    }

    std::vector<Receiver> receivers_;
    Receiver sink_;
    std::vector<std::vector<sockaddr_in>> versions_;
    Sender sender_;
    std::set<std::string> refused_[senders];
    std::atomic<uint64_t> changes_ = 0;
    std::atomic<int> done_ = 0;
};

TEST_F(Concurrency, EachSendSeesOneVersion)
{
    ASSERT_EQ(sender_.set(with_fillers(versions_[0])), 0);
    std::thread replacer([this] { replace_until_done(); });
    std::thread onlooker([this] { look_until_done(); });
    in_threads([this](int thread) { send_while_it_changes(thread); });
    replacer.join();
    onlooker.join();

    // Who got which send
    std::map<std::string, std::vector<sockaddr_in>> got;
    uint64_t datagrams = 0;
    for (const auto &r : receivers_) {
        while (auto id = r.next(MSG_DONTWAIT)) {
            got[*id].push_back(r.address());
            datagrams++;
        }
    }
    size_t refused = 0;
    for (const auto &ids : refused_) {
        refused += ids.size();
        for (const auto &id : ids)
            EXPECT_EQ(got.count(id), 0U) << id;
    }
    EXPECT_EQ(got.size() + refused, size_t{senders} * sends);
    std::set<size_t> seen;
    for (const auto &[id, addrs] : got) {
        auto it = std::find(versions_.begin(), versions_.end(), addrs);
        EXPECT_NE(it, versions_.end()) << id << " went to " << addrs.size();
        seen.insert(static_cast<size_t>(it - versions_.begin()));
    }
    EXPECT_GT(seen.size(), 1U) << "the group did not change between the sends";

    auto stat = sender_.stat();
    EXPECT_EQ(stat.totals.sends, got.size());
    EXPECT_EQ(stat.totals.sent, datagrams + got.size() * fillers);
    EXPECT_EQ(stat.totals.failed, 0U);
    EXPECT_EQ(stat.totals.unreached, 0U);
}

TEST_F(Concurrency, CountersOfOneVersionAddUp)
{
    ASSERT_EQ(sender_.set(addresses(receivers_)), 0);
    in_threads([this](int thread) { send_some(thread, 0, sends); });
    auto stat = sender_.stat();
    EXPECT_EQ(stat.totals.sends, uint64_t{senders} * sends);
    EXPECT_EQ(stat.totals.sent, uint64_t{senders} * sends * receivers_.size());
    for (const auto &m : stat.members)
        EXPECT_EQ(m.sent, uint64_t{senders} * sends);
}

TEST_F(Concurrency, DeadPeerAmongSeveralSenders)
{
    auto addrs = addresses(receivers_);
    addrs.insert(addrs.begin() + 3, dead_addresses(1)[0]);
    ASSERT_EQ(sender_.set(addrs), 0);
    in_threads([this](int thread) { send_some(thread, 0, sends); });
    EXPECT_TRUE(sender_.await_icmp(uint64_t{senders} * sends));
    auto stat = sender_.stat();
    EXPECT_EQ(stat.totals.failed, 0U);
    EXPECT_EQ(stat.totals.sent, uint64_t{senders} * sends * addrs.size());
    EXPECT_EQ(stat.totals.icmp, uint64_t{senders} * sends);
    EXPECT_EQ(stat.members[3].icmp, uint64_t{senders} * sends);
}

// Those who stay get each send, once, whoever comes and goes beside them. The
// last one stays, so that the group always has as many slots.
TEST_F(Concurrency, JoinsAndLeavesBesideSends)
{
    auto addrs = addresses(receivers_);
    std::vector<sockaddr_in> others;
    for (size_t i = 0; i < addrs.size(); i += 2)
        others.push_back(addrs[i]);
    ASSERT_EQ(sender_.set(addrs), 0);
    std::thread changer([&] {
        for (size_t i = 0; done_ < senders; i++) {
            const auto &who = others[i % others.size()];
            int err = sender_.del(who);
            EXPECT_TRUE(err == 0 || err == -EBUSY) << err;
            if (err != 0)
                continue;
            do
                err = sender_.add(who);
            while (err == -EBUSY);
            EXPECT_EQ(err, 0);
            changes_ += 2;
        }
    });
    std::thread onlooker([this] {
        while (done_ < senders)
            EXPECT_GE(sender_.stat().members.size(), receivers_.size() - 1);
    });
    in_threads([this](int thread) { send_while_it_changes(thread); });
    changer.join();
    onlooker.join();

    EXPECT_EQ(sender_.generation(), changes_ + 1);
    auto stat = sender_.stat();
    EXPECT_EQ(stat.totals.sends, uint64_t{senders} * sends);
    EXPECT_EQ(stat.totals.sent + stat.totals.holes, uint64_t{senders} * sends * receivers_.size());
    uint64_t datagrams = 0;
    for (size_t i = 0; i < receivers_.size(); i++) {
        std::set<std::string> got;
        uint64_t n = 0;
        while (auto id = receivers_[i].next(MSG_DONTWAIT)) {
            got.insert(*id);
            n++;
        }
        datagrams += n;
        EXPECT_EQ(got.size(), n) << "a send came twice";
        if (i % 2 != 0) {
            EXPECT_EQ(n, uint64_t{senders} * sends);
            EXPECT_EQ(stat.members[i].sent, n);
        }
    }
    EXPECT_EQ(stat.totals.sent, datagrams);
}

} // namespace
} // namespace library_test
