// SPDX-License-Identifier: GPL-2.0-only
// UDP_GRP_SPREAD together with whatever else is asked of a send: each of these, any
// two, and all at once. Everyone gets what is meant for it, when it is its slot's
// time, and nobody gets what is another's.

#include "arrival.hpp"
#include "families.hpp"

#include <map>

namespace selftest {
namespace {

constexpr uint32_t slots = 8, hole = 2, first = 1, count = 6, own = 5;
constexpr uint16_t segment = 300;
constexpr uint64_t spread = 320 * millisecond;

// What is asked for beside the spread.
enum : unsigned { skips = 1, ranges = 2, owns = 4, segments = 8, everything = 15 };

bool is_skipped(uint32_t slot) { return slot == 1 || slot == 5; }

class SpreadParts : public InBoth, public testing::WithParamInterface<std::tuple<Mix, Way>> {
protected:
    SpreadParts()
        : mix(std::get<0>(GetParam())), way(std::get<1>(GetParam())), peers(mix.peers(slots)),
          a(addresses(peers)), s(mix.domain)
    {
        hold_datagrams(s);
        run("tc qdisc change dev lo root fq flow_limit 10000");
        if (change(s, SO_SETGRP, a) || change(s, SO_DELGRP, {&a[hole], 1}) ||
            s.option(SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20))
            throw std::runtime_error("group");
        want_arrivals(peers);
    }
    Control control(unsigned with) const
    {
        Control c = Control(way.control).spread(spread);
        if (with & skips)
            c = skipping(c, std::vector<Address>{a[5], a[1]});
        if (with & ranges)
            c.range(first, count);
        if (with & owns)
            c.own(s.stat().totals.generation, own);
        if (with & segments)
            c.add(SOL_UDP, UDP_SEGMENT, segment);
        return c;
    }
    const Mix mix;
    const Way way;
    std::vector<Peer> peers;
    std::vector<Address> a;
    Sender s;
};

INSTANTIATE_TEST_SUITE_P(Of, SpreadParts,
                         testing::Combine(testing::ValuesIn(mixes()), testing::ValuesIn(ways())),
                         [](const auto &info) {
                             return std::string(std::get<0>(info.param).name) +
                                    std::get<1>(info.param).name;
                         });

// One send, and who gets what of it when.
class Part {
public:
    explicit Part(unsigned with)
        : from_(with & ranges ? first : 0), to_(with & ranges ? first + count : slots), with_(with),
          shared_(pattern(700))
    {
        // no two sends have a piece in common
        for (auto &b : shared_)
            b = static_cast<char>(b ^ static_cast<char>(with));
    }
    std::string data() const
    {
        std::string data;
        for (uint32_t slot = from_; with_ & owns && slot < to_; slot++)
            data += prefix(slot);
        return data + shared_;
    }
    bool is_for(uint32_t slot) const
    {
        return slot >= from_ && slot < to_ && slot != hole && !(with_ & skips && is_skipped(slot));
    }
    uint64_t due(uint32_t slot) const { return spread * (slot - from_) / (to_ - from_); }
    // What arrives at the member in this slot.
    std::vector<std::string> pieces(uint32_t slot) const
    {
        const auto whole = (with_ & owns ? prefix(slot) : "") + shared_;
        const size_t size = with_ & segments ? segment : whole.size();
        std::vector<std::string> pieces;
        for (size_t at = 0; at < whole.size(); at += size)
            pieces.push_back(whole.substr(at, size));
        return pieces;
    }
    uint32_t passed() const { return to_ - from_; }
    uint64_t before = 0, after = 0; // the send

private:
    static std::string prefix(uint32_t slot) { return "of " + std::to_string(slot) + ":"; }
    uint32_t from_, to_;
    unsigned with_;
    std::string shared_;
};

TEST_P(SpreadParts, EachWithEachOther)
{
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    expect_in_time([&] {
        // one behind the other, so all of their times pass together
        std::vector<Part> parts;
        const auto was = s.stat().totals;
        uint64_t sent = 0, passed = 0;
        for (unsigned with = 0; with <= everything; with++) {
            auto &part = parts.emplace_back(with);
            part.before = realtime();
            EXPECT_EQ(Message(part.data(), control(with)).send(s, way.flags),
                      static_cast<long>(part.passed()))
                << with;
            part.after = realtime();
            passed += part.passed();
            for (uint32_t slot = 0; slot < slots; slot++)
                sent += part.is_for(slot);
        }
        const auto is = s.stat().totals;
        EXPECT_EQ(is.sent - was.sent, sent);
        EXPECT_EQ(is.sent + is.skipped + is.holes - was.sent - was.skipped - was.holes, passed);
        EXPECT_EQ(is.failed, 0u);
        bool in_time = true;
        for (uint32_t slot = 0; slot < slots; slot++) {
            std::map<std::string, const Part *> wanted;
            for (const auto &part : parts)
                if (part.is_for(slot))
                    for (const auto &piece : part.pieces(slot))
                        wanted[piece] = &part;
            while (!wanted.empty()) {
                const auto got = arrival(peers[slot].fd());
                const auto it = wanted.find(got.data);
                if (it == wanted.end()) {
                    ADD_FAILURE() << got.data.size() << " bytes that are not for slot " << slot;
                    return false;
                }
                const auto &part = *it->second;
                EXPECT_GE(got.time + clocks, part.before + part.due(slot)) << slot;
                in_time = in_time && got.time < part.after + part.due(slot) + soon;
                wanted.erase(it);
            }
        }
        expect_none(peers);
        return in_time;
    });
}

} // namespace
} // namespace selftest
