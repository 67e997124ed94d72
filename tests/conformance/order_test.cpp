// SPDX-License-Identifier: GPL-2.0-only
// Many sends in a row: each member gets each datagram once, in its order, and
// with an identifier of its own.

#include "duel.hpp"
#include "queues.hpp"

#include <thread>

namespace conformance {
namespace {

class Order : public Mirrored {
protected:
    void SetUp() override
    {
        if (mirror().first("10.51"))
            mirror().ip("route add 10.51.0.0/16 via 10.1.0.254");
    }
};

// What begins the data: who sent, and for the how manieth time.
struct Label {
    uint32_t sender, number;
};

std::string labelled(uint32_t sender, uint32_t number, size_t size)
{
    std::string data = pattern(size);
    Label label{sender, number};
    memcpy(data.data(), &label, sizeof(label));
    return data;
}

// Looks at frames as they come, of several senders.
class Watch {
public:
    Watch(uint32_t senders, size_t size) : senders_(senders), data_(pattern(size)) {}
    void look(const std::vector<Frame> &frames)
    {
        for (const auto &f : frames) {
            Label label{};
            std::string data = f.data();
            memcpy(&label, data.data(), sizeof(label));
            ASSERT_LT(label.sender, senders_);
            auto &next = next_[{label.sender, f.to()}];
            ASSERT_EQ(label.number, next) << "at " << f.to() << ", of sender " << label.sender;
            ASSERT_TRUE(data.substr(sizeof(label)) == data_.substr(sizeof(label)));
            next++;
        }
        seen_ += frames.size();
    }
    // Every member has had that many from each sender.
    void expect(size_t members, uint32_t sends) const
    {
        EXPECT_EQ(next_.size(), members * senders_);
        for (const auto &[who, next] : next_)
            EXPECT_EQ(next, sends) << who.second << ", from " << who.first;
        EXPECT_EQ(seen_, members * senders_ * sends);
    }

private:
    uint32_t senders_;
    std::string data_;
    std::map<std::pair<uint32_t, std::string>, uint32_t> next_;
    size_t seen_ = 0;
};

void expect_fast(size_t sends, size_t members)
{
    auto events = SendTrace::of_all().take();
    ASSERT_EQ(events.size(), sends);
    for (const auto &e : events) {
        EXPECT_EQ(e.fast, members);
        EXPECT_EQ(e.sent, members);
    }
}

// One group, to which so many threads send at once.
void expect_order(Mirror &mirror, const std::string &qdisc, uint32_t threads, uint32_t sends,
                  size_t size)
{
    constexpr size_t members = 100;
    SCOPED_TRACE(qdisc + ", " + std::to_string(threads) + " senders");
    auto &w = mirror.group;
    In in(*w.sender);
    // seen where they leave, and nowhere else: it is many
    w.taps.erase("far");
    Tap tap("near", true);
    feed(*w.sender, "tc -batch -", "qdisc replace dev near root " + qdisc + "\n");
    Sender s;
    ASSERT_EQ(s.set(many(0x0a330001, members)), 0);
    Watch watch(threads, size);
    SendTrace::of_all().take();
    constexpr uint32_t round = 20;
    for (uint32_t from = 0; from < sends; from += round) {
        std::vector<std::thread> senders;
        for (uint32_t t = 0; t < threads; t++)
            senders.emplace_back([&, t] {
                stay_on(t);
                for (uint32_t i = from; i < from + round; i++)
                    EXPECT_EQ(s.send(labelled(t, i, size)), static_cast<long>(size));
            });
        for (auto &t : senders)
            t.join();
        watch.look(tap.take(members * threads * round));
        ASSERT_FALSE(testing::Test::HasFatalFailure());
    }
    EXPECT_EQ(tap.lost(), 0u);
    watch.expect(members, sends);
    EXPECT_NE(output_of(*w.sender, "tc -s qdisc show dev near root").find("(dropped 0,"),
              std::string::npos);
    expect_fast(size_t{threads} * sends, members);
    EXPECT_EQ(s.stat().totals.sent, members * threads * sends);
    feed(*w.sender, "tc -batch -", "qdisc del dev near root\n");
    In there(*w.peer);
    w.taps.emplace("far", Tap("far"));
}

TEST_F(Order, PfifoFast) { expect_order(mirror(), "pfifo_fast", 1, 200, 100); }

TEST_F(Order, FqCodel) { expect_order(mirror(), patient, 1, 200, 300); }

TEST_F(Order, TwoSendersAtOnce)
{
    expect_order(mirror(), "pfifo_fast", 2, 40, 300);
    expect_order(mirror(), patient, 2, 40, 100);
}

// What has several queues inside, or none.
TEST_F(Order, OtherQueues)
{
    for (std::string qdisc :
         {"noqueue", "mq", "fq", "tbf rate 10gbit burst 1m limit 20m", "htb default 1"})
        expect_order(mirror(), qdisc, 2, 20, 100);
}

// The identifiers that a member gets are successive, whatever comes in between,
// and members have other ones.
TEST_F(Order, Identifiers)
{
    constexpr size_t members = 5;
    constexpr uint16_t sends = 100;
    auto &w = mirror().group;
    auto &tap = w.taps.at("far");
    In in(*w.sender);
    Sender s;
    ASSERT_EQ(s.set(many(0x0a330001, members)), 0);
    std::map<std::string, uint16_t> first, last;
    SendTrace::of_all().take();
    for (uint16_t i = 0; i < sends; i++) {
        ASSERT_EQ(s.send("x"), 1);
        auto frames = tap.take(members);
        ASSERT_EQ(frames.size(), members);
        for (const auto &f : frames) {
            if (i) {
                EXPECT_EQ(f.ident(), static_cast<uint16_t>(last[f.to()] + 1)) << f.to();
            } else {
                first[f.to()] = f.ident();
            }
            last[f.to()] = f.ident();
        }
    }
    expect_fast(sends, members);
    std::set<uint16_t> starts;
    for (const auto &[who, id] : first)
        starts.insert(id);
    EXPECT_GT(starts.size(), 1u);

    // which nobody else may fragment, and so need none
    ASSERT_EQ(s.option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(s.send("x"), 1);
        for (const auto &f : tap.take(members)) {
            EXPECT_EQ(f.ident(), 0);
            EXPECT_TRUE(f.dont_fragment());
        }
    }
}

} // namespace
} // namespace conformance
