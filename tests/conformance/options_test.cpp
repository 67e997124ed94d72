// SPDX-License-Identifier: GPL-2.0-only
// Socket options, control messages and flags: each as it comes, and changed from
// one send of a group to the next.

#include "cases.hpp"

#include <linux/filter.h>

namespace conformance {
namespace {

class Options : public Mirrored {};

constexpr size_t small = Case::small, shared = Case::shared;
constexpr size_t n = 4;
const int near = 2, near2 = 3; // interface indices, see Mirror::Mirror()

Duel::Setup txtime()
{
    sock_txtime txtime{.clockid = CLOCK_MONOTONIC, .flags = 0};
    return raw_option(SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime));
}

Control pktinfo(int device, const char *source)
{
    in_pktinfo info{};
    info.ipi_ifindex = device;
    info.ipi_spec_dst = address(source, 0).sin_addr;
    return Control().add(SOL_IP, IP_PKTINFO, info);
}

void expect_conformant(Mirror &mirror, const std::vector<Case> &cases)
{
    conformance::expect_conformant(mirror, members("10.1.0.", n), cases);
}

// near's members by way of near2 too, where nobody but a chosen device leads.
class WayOut {
public:
    explicit WayOut(Mirror &mirror)
        : change_(mirror, "route add 10.1.0.0/24 via 10.2.0.254 dev near2 metric 100",
                  "route del 10.1.0.0/24 via 10.2.0.254 dev near2 metric 100")
    {}

private:
    Change change_;
};

// The analyzer loses sight of what a std::function owns.
// NOLINTBEGIN(clang-analyzer-cplusplus.NewDeleteLeaks)
TEST_F(Options, OfTheSocket)
{
    WayOut way(mirror());
    expect_conformant(
        mirror(),
        {
            {"IP_TOS 0x10", option(SOL_IP, IP_TOS, 0x10)},
            {"IP_TOS with ECN", option(SOL_IP, IP_TOS, 0x03)},
            {"IP_TTL 255", option(SOL_IP, IP_TTL, 255)},
            {"SO_BROADCAST", option(SOL_SOCKET, SO_BROADCAST, 1)},
            {"SO_DONTROUTE", option(SOL_SOCKET, SO_DONTROUTE, 1)},
            {"IP_RECVERR", option(SOL_IP, IP_RECVERR, 1)},
            {"IP_TRANSPARENT", option(SOL_IP, IP_TRANSPARENT, 1)},
            {"IP_FREEBIND", option(SOL_IP, IP_FREEBIND, 1)},
            {"IP_MULTICAST_TTL", option(SOL_IP, IP_MULTICAST_TTL, 9)},
            {"SO_SNDBUF", option(SOL_SOCKET, SO_SNDBUF, 1)},
            {"SO_BINDTODEVICE", to_device("near")},
            {"SO_BINDTODEVICE near2", to_device("near2"), {}, 0, true, "far2"},
            {"IP_UNICAST_IF", option(SOL_IP, IP_UNICAST_IF, static_cast<int>(htonl(near)))},
            {"IP_UNICAST_IF near2",
             option(SOL_IP, IP_UNICAST_IF, static_cast<int>(htonl(near2))),
             {},
             0,
             true,
             "far2"},
            {"SO_TXTIME and no time", txtime()},
        });
}

TEST_F(Options, ControlMessages)
{
    WayOut way(mirror());
    expect_conformant(
        mirror(), {
                      {"IP_PKTINFO device", {}, pktinfo(near, "0.0.0.0")},
                      {"IP_PKTINFO device near2", {}, pktinfo(near2, "0.0.0.0"), 0, true, "far2"},
                      {"IP_PKTINFO both", {}, pktinfo(near2, "10.1.0.5"), 0, true, "far2"},
                      {"IP_TOS over the option", option(SOL_IP, IP_TOS, 0x10),
                       Control().add(SOL_IP, IP_TOS, 0)},
                      {"IP_TOS over a priority", option(SOL_SOCKET, SO_PRIORITY, 3),
                       Control().add(SOL_IP, IP_TOS, 0x10)},
                      {"IP_TTL over the option", option(SOL_IP, IP_TTL, 200),
                       Control().add(SOL_IP, IP_TTL, 1)},
                      {"SO_MARK", {}, Control().add(SOL_SOCKET, SO_MARK, 5u)},
                      {"SCM_TXTIME", txtime(), Control().add(SOL_SOCKET, SCM_TXTIME, monotonic())},
                      {"several",
                       {},
                       Control()
                           .add(SOL_IP, IP_TOS, 0x10)
                           .add(SOL_IP, IP_TTL, 9)
                           .add(SOL_SOCKET, SO_MARK, 3u)},
                  });
}

TEST_F(Options, Flags)
{
    expect_conformant(mirror(), {
                                    {"MSG_DONTROUTE", {}, {}, MSG_DONTROUTE},
                                    {"MSG_DONTWAIT", {}, {}, MSG_DONTWAIT},
                                    {"MSG_NOSIGNAL", {}, {}, MSG_NOSIGNAL},
                                    {"MSG_EOR", {}, {}, MSG_EOR},
                                    {"MSG_CONFIRM", {}, {}, MSG_CONFIRM, false},
                                });
}

// What the fast path leaves to the other.
TEST_F(Options, OfTheTruePath)
{
    const std::string record_route("\x01\x07\x0b\x04\0\0\0\0\0\0\0\0", 12);
    const int stamps = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    expect_conformant(
        mirror(),
        {
            {"IP_OPTIONS", raw_option(SOL_IP, IP_OPTIONS, record_route.data(), 12), {}, 0, false},
            {"IP_RETOPTS",
             {},
             Control().add_raw(SOL_IP, IP_RETOPTS, record_route.data(), record_route.size()),
             0,
             false},
            {"SO_TIMESTAMPING", option(SOL_SOCKET, SO_TIMESTAMPING, stamps), {}, 0, false},
            {"SO_TIMESTAMPING by control message",
             option(SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE),
             Control().add(SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE), 0, false},
            {"MSG_ZEROCOPY", option(SOL_SOCKET, SO_ZEROCOPY, 1), {}, MSG_ZEROCOPY, false},
        });
}

// NOLINTEND(clang-analyzer-cplusplus.NewDeleteLeaks)

TEST_F(Options, BoundToAnAddress)
{
    for (std::string source : {"10.1.0.1", "10.1.0.5", "10.2.0.1"}) {
        SCOPED_TRACE(source);
        Duel duel(mirror(), members("10.1.0.", n) + members("10.2.0.", n), {}, source);
        for (size_t size : {small, shared})
            duel.send({.data = pattern(size)},
                      {.fast = 2 * n, .frames = {{"far", n}, {"far2", n}}});
    }
    // an address that is nobody's
    Duel duel(mirror(), members("10.1.0.", n), option(SOL_IP, IP_TRANSPARENT, 1), "192.0.2.7");
    duel.send({.data = pattern(shared)}, duel.all_fast());
}

// Each option again, but between two sends of one group, and back.
TEST_F(Options, ChangedBetweenSends)
{
    WayOut way(mirror());
    Duel duel(mirror(), members("10.1.0.", n));
    const int stamps = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    const std::string nops("\x01\x01\x01\x01", 4);
    struct {
        const char *name;
        Duel::Setup on, off;
        bool fast = true;
        const char *device = "far";
    } changes[] = {
        {"IP_TOS", option(SOL_IP, IP_TOS, 0x10), option(SOL_IP, IP_TOS, 0)},
        {"IP_TTL", option(SOL_IP, IP_TTL, 5), option(SOL_IP, IP_TTL, -1)},
        {"SO_MARK", option(SOL_SOCKET, SO_MARK, 9), option(SOL_SOCKET, SO_MARK, 0)},
        {"SO_PRIORITY", option(SOL_SOCKET, SO_PRIORITY, 6), option(SOL_SOCKET, SO_PRIORITY, 0)},
        {"SO_NO_CHECK", option(SOL_SOCKET, SO_NO_CHECK, 1), option(SOL_SOCKET, SO_NO_CHECK, 0)},
        {"SO_DONTROUTE", option(SOL_SOCKET, SO_DONTROUTE, 1), option(SOL_SOCKET, SO_DONTROUTE, 0)},
        {"IP_TRANSPARENT", option(SOL_IP, IP_TRANSPARENT, 1), option(SOL_IP, IP_TRANSPARENT, 0)},
        {"IP_MTU_DISCOVER", option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO),
         option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT)},
        {"IP_MTU_DISCOVER, none", option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT),
         option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT)},
        {"SO_BINDTODEVICE", to_device("near2"), to_device(""), true, "far2"},
        {"IP_UNICAST_IF", option(SOL_IP, IP_UNICAST_IF, static_cast<int>(htonl(near2))),
         option(SOL_IP, IP_UNICAST_IF, 0), true, "far2"},
        {"SO_TIMESTAMPING", option(SOL_SOCKET, SO_TIMESTAMPING, stamps),
         option(SOL_SOCKET, SO_TIMESTAMPING, 0), false},
        {"UDP_SEGMENT", option(SOL_UDP, UDP_SEGMENT, 1200), option(SOL_UDP, UDP_SEGMENT, 0), false},
    };
    for (const auto &c : changes) {
        SCOPED_TRACE(c.name);
        for (size_t size : {small, shared}) {
            duel.send({.data = pattern(size)}, duel.all_fast());
            duel.each(c.on);
            for (int i = 0; i < 2; i++)
                duel.send({.data = pattern(size)},
                          c.fast ? duel.all_fast(c.device) : duel.all_true(1, c.device));
            duel.each(c.off);
        }
    }
    duel.send({.data = pattern(small)}, duel.all_fast());
    duel.each(raw_option(SOL_IP, IP_OPTIONS, nops.data(), nops.size()));
    duel.send({.data = pattern(small)}, duel.all_true());
}

// What is not in the frame, but beside it: mark and priority, by a counter of the
// packet filter for each pair of them. The table is nft's, the hook a part of it.
void expect_same_marks(Mirror &mirror, const std::string &table, const std::string &hook)
{
    mirror.nft("table " + table +
               " {\n"
               " set out { typeof meta mark . meta priority . ip daddr; flags dynamic; counter; }\n"
               " chain look { type filter hook " +
               hook +
               " priority 0;\n"
               "  add @out { meta mark . meta priority . ip daddr }\n"
               " }\n"
               "}\n");
    for (const auto &c : std::vector<Case>{
             {"none", {}},
             {"SO_MARK", option(SOL_SOCKET, SO_MARK, 1)},
             {"SO_PRIORITY", option(SOL_SOCKET, SO_PRIORITY, 2)},
             {"IP_TOS", option(SOL_IP, IP_TOS, 0x10)},
             {"IP_TOS, then SO_PRIORITY",
              all_of({option(SOL_IP, IP_TOS, 0x10), option(SOL_SOCKET, SO_PRIORITY, 4)})},
             {"SO_MARK message", option(SOL_SOCKET, SO_MARK, 1),
              Control().add(SOL_SOCKET, SO_MARK, 3u)},
             {"IP_TOS message", option(SOL_SOCKET, SO_PRIORITY, 5),
              Control().add(SOL_IP, IP_TOS, 0x08)},
             {"IP_TOS message of 0", option(SOL_SOCKET, SO_PRIORITY, 1),
              Control().add(SOL_IP, IP_TOS, 0)},
         })
        expect_conformant(mirror, members("10.1.0.", n), c);
    auto listed = [&](const World &w) {
        std::istringstream text(output_of(*w.sender, "nft -n list set " + table + " out"));
        std::multiset<std::string> elements;
        std::string word;
        while (std::getline(text, word, ','))
            elements.insert(word.substr(std::min(word.size(), word.find("0x"))));
        return elements;
    };
    auto one = listed(mirror.one), group = listed(mirror.group);
    EXPECT_GE(one.size(), 6U * n);
    EXPECT_EQ(one, group);
    mirror.nft("flush ruleset");
}

TEST_F(Options, MarkAndPriorityAtTheNetfilterHook)
{
    expect_same_marks(mirror(), "ip seen", "postrouting");
}

TEST_F(Options, MarkAndPriorityAtTheDevice)
{
    expect_same_marks(mirror(), "netdev seen", "egress device near");
}

} // namespace
} // namespace conformance
