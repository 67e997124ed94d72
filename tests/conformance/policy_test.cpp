// SPDX-License-Identifier: GPL-2.0-only
// The packet filter, address translation and connection tracking act on each
// member of a group as on a sendto() to it.

#include "duel.hpp"

namespace conformance {
namespace {

class Filter : public Mirrored {};

constexpr size_t n = 5;

void expect_conformant(Mirror &mirror, const Outcome &outcome, const Duel::Setup &setup = {})
{
    for (bool sum : {true, false}) {
        SCOPED_TRACE(sum ? "checksum offloaded" : "checksum not offloaded");
        mirror.checksum("near", sum);
        Duel duel(mirror, members("10.1.0.", n), setup);
        for (size_t size : {1, 100, 1001, 1000}) {
            SCOPED_TRACE(std::to_string(size) + " bytes");
            duel.send({.data = pattern(size)}, outcome);
        }
    }
    mirror.checksum("near", true);
}

const Outcome everyone{.fast = n, .frames = {{"far", n}}};
// the member at 10.1.0.11
const Outcome but_one{.fast = n, .frames = {{"far", n - 1}}, .errors = {{1, EPERM}}};

const std::string output = "filter hook output priority 0;";
const std::string postrouting = "filter hook postrouting priority 0;";

void expect_same_counters(Mirror &mirror)
{
    auto one = output_of(*mirror.one.sender, "nft list ruleset");
    EXPECT_NE(one.find("counter packets"), std::string::npos) << one;
    EXPECT_EQ(one.find("counter packets 0"), std::string::npos) << one;
    EXPECT_EQ(one, output_of(*mirror.group.sender, "nft list ruleset"));
}

TEST_F(Filter, Counters)
{
    const std::string counters = "ip daddr 10.1.0.12 counter\nudp length > 8 counter\n"
                                 "oifname near meta skuid 0 meta l4proto udp counter";
    Rules rules(mirror(), "ip", {{output, counters}, {postrouting, counters}});
    expect_conformant(mirror(), everyone);
    expect_same_counters(mirror());
}

TEST_F(Filter, SomeAreRefused)
{
    Rules rules(mirror(), "ip",
                {{output, "ip daddr 10.1.0.11 drop"},
                 {postrouting, "oifname near meta skuid 0 udp dport 9003 drop"}});
    expect_conformant(mirror(),
                      {.fast = n, .frames = {{"far", n - 2}}, .errors = {{1, EPERM}, {3, EPERM}}});
}

TEST_F(Filter, OneIsRefusedAtTheDevice)
{
    Rules rules(mirror(), "netdev",
                {{"filter hook egress device near priority 0;", "ip daddr 10.1.0.11 drop"}});
    Outcome o = but_one;
    o.errors = {{1, ENOBUFS}};
    expect_conformant(mirror(), o, option(SOL_IP, IP_RECVERR, 1));
    o.hidden.swap(o.errors);
    expect_conformant(mirror(), o);
}

TEST_F(Filter, Tracked)
{
    Rules rules(mirror(), "ip",
                {{output, "ct state new counter\nct direction original counter\n"
                          "ct state invalid drop"}});
    expect_conformant(mirror(), everyone);
    expect_same_counters(mirror());
}

// Connections that nobody has tracked before: a rule about them comes first.
constexpr unsigned fresh = 24;

TEST_F(Filter, SourceTranslated)
{
    Rules rules(mirror(), "ip",
                {{"nat hook postrouting priority 100;",
                  "ip daddr 10.1.0.25 snat to 10.1.0.5\n"
                  "ip daddr 10.1.0.27 udp dport 9003 snat to 10.9.9.9:5555"}});
    for (bool sum : {true, false}) {
        mirror().checksum("near", sum);
        Duel duel(mirror(), members("10.1.0.", n, fresh));
        for (size_t size : {1, 100, 1001, 1000}) {
            duel.send({.data = pattern(size)}, everyone);
            const auto &frames = duel.received("far");
            EXPECT_EQ(frames[0].from(), "10.1.0.1");
            EXPECT_EQ(frames[1].from(), "10.1.0.5");
            EXPECT_EQ(frames[3].from(), "10.9.9.9");
        }
    }
    mirror().checksum("near", true);
}

// Who is not tracked has no address translated, whatever was known before.
TEST_F(Filter, SomeAreNotTracked)
{
    const std::string mine = "ip daddr 10.1.0.10-10.1.0.14 udp dport 9300 ";
    std::vector<sockaddr_in> addrs;
    for (unsigned i = 0; i < n; i++)
        addrs.push_back(address("10.1.0." + std::to_string(first_neighbour + i), 9300));
    // turned round, so that those with a connection lose it, too
    for (const std::set<size_t> &untracked : {std::set<size_t>{1, 3}, {0, 2, 4}}) {
        std::string raw, states;
        for (size_t i = 0; i < n; i++) {
            const std::string to =
                "ip daddr " + std::string(inet_ntoa(addrs[i].sin_addr)) + " udp dport 9300 ";
            if (untracked.count(i))
                raw += to + "notrack\n";
            states += to + "ct state " + (untracked.count(i) ? "untracked" : "new") + " counter\n";
        }
        Rules rules(mirror(), "ip",
                    {{"filter hook output priority raw;", raw},
                     {output, states},
                     {"nat hook postrouting priority 100;", mine + "snat to 10.1.0.5"}});
        Duel duel(mirror(), addrs);
        for (size_t size : {1, 100, 1001, 1000}) {
            duel.send({.data = pattern(size)}, everyone);
            const auto &frames = duel.received("far");
            for (size_t i = 0; i < n; i++)
                EXPECT_EQ(frames[i].from(), untracked.count(i) ? "10.1.0.1" : "10.1.0.5") << i;
        }
        expect_same_counters(mirror());
        const auto counted = output_of(*mirror().group.sender, "nft list ruleset");
        size_t each = 0;
        for (size_t at = 0; (at = counted.find("counter packets 4 ", at)) != std::string::npos;
             at++)
            each++;
        EXPECT_EQ(each, n) << counted;
    }
}

// To another address, another port, and out of another device.
TEST_F(Filter, DestinationTranslated)
{
    Rules rules(mirror(), "ip",
                {{"nat hook output priority -100;",
                  "ip daddr 10.1.0.29 udp dport 9001 dnat to 10.1.0.30:77\n"
                  "ip daddr 10.1.0.31 dnat to 10.2.0.20"}});
    for (bool sum : {true, false}) {
        mirror().checksum("near", sum);
        Duel duel(mirror(), members("10.1.0.", 4, 28));
        for (size_t size : {1, 100, 1001, 1000}) {
            duel.send({.data = pattern(size)}, {.fast = 4, .frames = {{"far", 3}, {"far2", 1}}});
            EXPECT_EQ(duel.received("far")[1].to(), "10.1.0.30");
            EXPECT_EQ(duel.received("far2")[0].to(), "10.2.0.20");
        }
    }
    mirror().checksum("near", true);
}

// A member's header and data change, in pages that all share, and no other's.
TEST_F(Filter, SomeAreRewritten)
{
    const char *const changes[] = {"udp dport set 7777",     "udp sport set 1",
                                   "ip dscp set cs3",        "ip ttl set 5",
                                   "ip saddr set 192.0.2.1", "@th,64,32 set 0xdeadbeef",
                                   "@th,80,16 set 0x1234",   "@th,1984,32 set 0xdeadbeef"};
    std::vector<Rules::Chain> chains{{output, ""}, {postrouting, ""}};
    unsigned last = first_neighbour;
    for (auto &[hook, rules] : chains)
        for (auto change : changes)
            rules += "ip daddr 10.1.0." + std::to_string(++last) + " udp length > 260 " +
                     std::string(change) + "\n";
    Rules rules(mirror(), "ip", chains);
    for (bool sum : {true, false}) {
        mirror().checksum("near", sum);
        Duel duel(mirror(), members("10.1.0.", 18));
        for (size_t size : {100, 256, 1000, 1000})
            duel.send({.data = pattern(size)}, duel.all_fast());
        // all but the source port and what is in the IP header; see also Integrity
        size_t changed = 0;
        for (const auto &f : duel.received("far"))
            changed += f.data() != pattern(1000);
        EXPECT_EQ(changed, 6U);
    }
    mirror().checksum("near", true);
}

// A mark by the packet filter is another route for the one member.
TEST_F(Filter, OneIsRerouted)
{
    mirror().ip("route add 10.1.0.0/24 via 10.2.0.254 table 109\nrule add fwmark 9 lookup 109");
    {
        Rules rules(mirror(), "ip",
                    {{"route hook output priority 0;", "ip daddr 10.1.0.12 meta mark set 9"}});
        expect_conformant(mirror(), {.fast = n, .frames = {{"far", n - 1}, {"far2", 1}}});
    }
    mirror().ip("route del 10.1.0.0/24 table 109\nrule del fwmark 9 lookup 109");
}

// Hooks that appear and go between sends of one group.
TEST_F(Filter, RulesBetweenSends)
{
    Duel duel(mirror(), members("10.1.0.", n));
    auto both = [&](const Outcome &outcome) {
        for (size_t size : {100, 1000})
            duel.send({.data = pattern(size)}, outcome);
    };
    both(everyone);
    {
        Rules rules(mirror(), "ip", {{output, "ip daddr 10.1.0.11 drop"}});
        both(but_one);
    }
    both(everyone);
    {
        Rules rules(mirror(), "ip", {{postrouting, "ip daddr 10.1.0.11 ip ttl set 9"}});
        both(everyone);
    }
    both(everyone);
}

} // namespace
} // namespace conformance
