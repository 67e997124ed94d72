// SPDX-License-Identifier: GPL-2.0-only
// What a group remembers of the ways to its members, while routes, rules,
// neighbours and devices change from one send to the next.

#include "duel.hpp"
#include "path_mtu.hpp"

namespace conformance {
namespace {

class Stale : public Mirrored {};

constexpr size_t n = 4;

// A small and a large one, twice, so that a way is looked up and remembered.
void expect(Duel &duel, const Outcome &outcome)
{
    for (size_t size : {100, 600, 100, 600})
        duel.send({.data = pattern(size)}, outcome);
}

TEST_F(Stale, RouteReplaced)
{
    Change change(mirror(), "route add 10.40.0.0/24 via 10.1.0.254", "route del 10.40.0.0/24");
    Duel duel(mirror(), members("10.40.0.", n));
    auto replace = [&](const std::string &by) { mirror().ip("route replace 10.40.0.0/24 " + by); };
    expect(duel, duel.all_fast());
    replace("via 10.1.0.253"); // another MAC address
    expect(duel, duel.all_fast());
    replace("via 10.2.0.254");
    expect(duel, duel.all_fast("far2"));
    replace("via 10.1.0.254 src 10.1.0.5");
    expect(duel, duel.all_fast());
    replace("via 10.1.0.254 src 10.2.0.1");
    expect(duel, duel.all_fast());
    replace("via 10.1.0.254 hoplimit 9");
    expect(duel, duel.all_fast());
    replace("via 10.1.0.254 mtu 500");
    duel.send({.data = pattern(100)}, duel.all_fast());
    duel.send({.data = pattern(600)}, duel.all_true(2));
    for (auto [kind, error] :
         {std::pair("blackhole", EINVAL), {"unreachable", EHOSTUNREACH}, {"prohibit", EACCES}}) {
        SCOPED_TRACE(kind);
        mirror().ip(std::string("route del 10.40.0.0/24\nroute add ") + kind + " 10.40.0.0/24");
        expect(duel, duel.all_fail(error));
    }
    mirror().ip("route del 10.40.0.0/24");
    expect(duel, duel.all_fail(ENETUNREACH));
    mirror().ip("route add 10.40.0.0/24 via 10.1.0.254");
    expect(duel, duel.all_fast());
}

// A route for one of them only; the others keep theirs.
TEST_F(Stale, MoreSpecificRoute)
{
    Change change(mirror(), "route add 10.40.0.0/24 via 10.1.0.254", "route del 10.40.0.0/24");
    Duel duel(mirror(), members("10.40.0.", n));
    expect(duel, duel.all_fast());
    mirror().ip("route add 10.40.0.11/32 via 10.2.0.254");
    expect(duel, {.fast = n, .frames = {{"far", n - 1}, {"far2", 1}}});
    mirror().ip("route replace unreachable 10.40.0.11/32");
    expect(duel, {.fast = n - 1, .frames = {{"far", n - 1}}, .errors = {{1, EHOSTUNREACH}}});
    mirror().ip("route del unreachable 10.40.0.11/32");
    expect(duel, duel.all_fast());
}

TEST_F(Stale, Rules)
{
    Change change(mirror(),
                  "route add 10.40.0.0/24 via 10.1.0.254\n"
                  "route add 10.40.0.0/24 via 10.2.0.254 table 120",
                  "route del 10.40.0.0/24\nroute del 10.40.0.0/24 table 120");
    Duel duel(mirror(), members("10.40.0.", n));
    auto by_rule = [&](const std::string &rule, const Duel::Setup &on, const Duel::Setup &off) {
        SCOPED_TRACE(rule);
        expect(duel, duel.all_fast());
        mirror().ip("rule add " + rule + " lookup 120");
        expect(duel, duel.all_fast());
        duel.each(on);
        expect(duel, duel.all_fast("far2"));
        mirror().ip("rule del " + rule + " lookup 120");
        expect(duel, duel.all_fast());
        mirror().ip("rule add " + rule + " lookup 120");
        expect(duel, duel.all_fast("far2"));
        duel.each(off);
        expect(duel, duel.all_fast());
        mirror().ip("rule del " + rule + " lookup 120");
    };
    by_rule("fwmark 33", option(SOL_SOCKET, SO_MARK, 33), option(SOL_SOCKET, SO_MARK, 0));
    by_rule("tos 0x08", option(SOL_IP, IP_TOS, 0x08), option(SOL_IP, IP_TOS, 0));
    expect(duel, duel.all_fast());
    mirror().ip("rule add to 10.40.0.0/24 lookup 120");
    expect(duel, duel.all_fast("far2"));
    mirror().ip("rule del to 10.40.0.0/24 lookup 120");
    expect(duel, duel.all_fast());
}

// bind() after the port was chosen by a send and given up again.
TEST_F(Stale, SourceAddress)
{
    mirror().sysctl("net/ipv4/ip_local_port_range", "4000 4000");
    {
        Duel duel(mirror(), members("10.1.0.", n), {}, "");
        for (std::string source : {"10.1.0.5", "10.2.0.1", "10.1.0.1", "0.0.0.0"}) {
            SCOPED_TRACE(source);
            expect(duel, duel.all_fast());
            duel.each([&](const Sender &s) {
                sockaddr unspec{};
                sockaddr_in local = address(source, 0);
                if (connect(s.fd(), &unspec, sizeof(unspec)) < 0 ||
                    bind(s.fd(), reinterpret_cast<sockaddr *>(&local), sizeof(local)) < 0)
                    throw std::runtime_error(strerror(errno));
            });
            expect(duel, duel.all_fast());
            duel.each([&](const Sender &s) {
                sockaddr unspec{};
                if (connect(s.fd(), &unspec, sizeof(unspec)) < 0)
                    throw std::runtime_error(strerror(errno));
            });
        }
    }
    mirror().sysctl("net/ipv4/ip_local_port_range", "32768 60999");
}

TEST_F(Stale, NeighbourMoves)
{
    Change change(mirror(), "route add 10.40.0.0/24 via 10.1.0.254", "route del 10.40.0.0/24");
    Duel duel(mirror(), members("10.40.0.", 2) + members("10.1.0.", 2));
    expect(duel, duel.all_fast());
    mirror().ip("neigh replace 10.1.0.254 lladdr 02:00:00:00:09:01 dev near nud permanent\n"
                "neigh replace 10.1.0.10 lladdr 02:00:00:00:09:02 dev near nud permanent");
    expect(duel, duel.all_fast());
    mirror().ip(neighbour_entries("10.1.0.", "near", 254, 1) +
                neighbour_entries("10.1.0.", "near", 10, 1));
    expect(duel, duel.all_fast());
}

TEST_F(Stale, MtuOfTheDevice)
{
    Duel duel(mirror(), members("10.1.0.", n));
    expect(duel, duel.all_fast());
    mirror().ip("link set near mtu 600");
    duel.send({.data = pattern(572)}, duel.all_fast());
    duel.send({.data = pattern(600)}, duel.all_true(2));
    duel.each(option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO));
    duel.send({.data = pattern(572)}, duel.all_fast());
    duel.send({.data = pattern(600)}, duel.all_fail(EMSGSIZE));
    mirror().ip("link set near mtu 1500");
    expect(duel, duel.all_fast());
    duel.send({.data = pattern(1472)}, duel.all_fast());
}

TEST_F(Stale, PathMtuByIcmp)
{
    Change change(mirror(), "route add 10.41.0.0/24 via 10.1.0.254",
                  "route del 10.41.0.0/24\nroute flush cache");
    auto addrs = members("10.41.0.", n);
    Duel duel(mirror(), addrs);
    expect(duel, duel.all_fast());
    mirror().each([&](const World &w) {
        send_fragmentation_needed(w, addrs[1], 576);
        In in(*w.sender);
        EXPECT_TRUE(eventually([&] { return path_mtu(addrs[1]) == 576; }));
    });
    duel.send({.data = pattern(548)}, duel.all_fast());
    duel.send({.data = pattern(600)}, {.fast = n - 1, .frames = {{"far", n + 1}}});
    duel.send({.data = pattern(100)}, duel.all_fast());
    duel.each(option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO));
    duel.send({.data = pattern(600)},
              {.fast = n - 1, .frames = {{"far", n - 1}}, .errors = {{1, EMSGSIZE}}});
    duel.each(option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE));
    duel.send({.data = pattern(600)}, duel.all_fast());
    duel.each(option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT));
    duel.send({.data = pattern(600)}, {.fast = n - 1, .frames = {{"far", n + 1}}});
    EXPECT_EQ(duel.group_sender().stat().totals.icmp, 1u);
}

// The whole device comes and goes, and with it addresses, routes, neighbours.
TEST(StaleAlone, DeviceAddressAndNamespace)
{
    Mirror mirror;
    mirror.ip("route add 10.40.0.0/24 via 10.1.0.254\n"
              "route add 10.42.0.0/24 via 10.1.0.254 src 10.1.0.5\n"
              "route add 10.40.0.0/24 via 10.2.0.254 metric 100");
    const std::string again =
        "route add 10.40.0.0/24 via 10.1.0.254\n" + neighbour_entries("10.1.0.", "near", 254, 1);
    Duel duel(mirror, members("10.40.0.", n));
    expect(duel, duel.all_fast());
    {
        SCOPED_TRACE("down and up");
        mirror.ip("link set near down");
        expect(duel, duel.all_fast("far2"));
        mirror.ip("link set near up\n" + again);
        expect(duel, duel.all_fast());
    }
    {
        SCOPED_TRACE("the peer is down");
        mirror.peer_ip("link set far down");
        mirror.await_down("near");
        mirror.peer_ip("link set far up");
        mirror.await_up("near");
        expect(duel, duel.all_fast());
    }
    {
        SCOPED_TRACE("address deleted");
        // the last address would take the neighbours along
        mirror.ip("addr add 192.0.2.1/32 dev near\n"
                  "addr del 10.1.0.5/24 dev near\n"
                  "addr del 10.1.0.1/24 dev near\n"
                  "route add 10.1.0.0/24 dev near scope link\n"
                  "route replace 10.40.0.0/24 via 10.1.0.254");
        expect(duel, duel.all_fast());
        mirror.ip("addr add 10.1.0.9/24 dev near");
        expect(duel, duel.all_fast());
        mirror.ip("route replace 10.40.0.0/24 via 10.1.0.254 src 10.1.0.9");
        expect(duel, duel.all_fast());
        mirror.ip("addr del 10.1.0.9/24 dev near");
        // which takes the route along, and leaves the other
        expect(duel, duel.all_fast("far2"));
    }
    {
        SCOPED_TRACE("device deleted");
        mirror.ip("addr add 10.1.0.9/24 dev near\nroute add 10.40.0.0/24 via 10.1.0.254");
        expect(duel, duel.all_fast());
        mirror.each([](World &w) { w.taps.erase("far"); });
        mirror.ip("link del near");
        expect(duel, duel.all_fast("far2"));
        mirror.ip("link del near2");
        expect(duel, duel.all_fail(ENETUNREACH));
    }
}

} // namespace
} // namespace conformance
