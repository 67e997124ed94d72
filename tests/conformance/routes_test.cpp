// SPDX-License-Identifier: GPL-2.0-only
// Every kind of destination and route, each by itself and all in one group.

#include "duel.hpp"

namespace conformance {
namespace {

class Routes : public Mirrored {
protected:
    void SetUp() override
    {
        auto &m = mirror();
        if (!m.first("routes"))
            return;
        m.sysctl("net/ipv6/conf/near/addr_gen_mode", "1");
        m.sysctl("net/ipv6/conf/near/accept_dad", "0");
        m.sysctl("net/ipv6/conf/near/disable_ipv6", "0");
        m.ip("neigh add fe80::fe lladdr 02:00:00:00:06:fe dev near nud permanent\n"
             "route add 10.3.0.0/24 via 10.1.0.254\n"
             "route add 10.3.1.0/24 via inet6 fe80::fe dev near\n"
             "route add 10.3.2.0/24 via 10.1.0.254 mtu 1000\n"
             "route add 10.3.3.0/24 via 10.1.0.254 mtu lock 600\n"
             "route add 10.3.4.0/24 via 10.1.0.254 hoplimit 7\n"
             "route add 10.3.5.0/24 via 10.1.0.254 src 10.1.0.5\n"
             "route add 10.3.6.0/24 dev near scope link src 10.2.0.1\n"
             "route add blackhole 10.4.0.0/24\n"
             "route add unreachable 10.4.1.0/24\n"
             "route add prohibit 10.4.2.0/24\n"
             "route add throw 10.4.3.0/24\n"
             "route add 224.0.0.0/4 dev near\n"
             "route add 10.5.0.0/24 via 10.1.0.254\n"
             "route add 10.5.0.0/24 via 10.2.0.254 table 107\n"
             "route add 10.5.0.0/24 via 10.1.0.253 table 110\n"
             "rule add fwmark 7 lookup 107\n"
             "rule add tos 0x10 lookup 110\n" +
             neighbour_entries("10.3.6.", "near", first_neighbour, 4));
        m.listen(9000);
        m.listen(9001);
    }
    // Sends small and large data, twice each, so that the second finds paths.
    static void expect_conformant(Duel &duel, const Outcome &outcome)
    {
        for (size_t size : {100, 500, 100, 500}) {
            SCOPED_TRACE(std::to_string(size) + " bytes");
            duel.send({.data = pattern(size)}, outcome);
        }
    }
};

constexpr size_t n = 4;

TEST_F(Routes, BehindAGateway)
{
    for (std::string net : {"10.3.0.", "10.3.1.", "10.3.4.", "10.3.5.", "10.3.6."}) {
        SCOPED_TRACE(net);
        Duel duel(mirror(), members(net, n));
        expect_conformant(duel, duel.all_fast());
    }
}

TEST_F(Routes, TtlOfTheRouteAndOfTheSocket)
{
    auto addrs = members("10.3.4.", n) + members("10.1.0.", n);
    Outcome all{.fast = 2 * n, .frames = {{"far", 2 * n}}};
    Duel plain(mirror(), addrs);
    expect_conformant(plain, all);
    mirror().sysctl("net/ipv4/ip_default_ttl", "33");
    expect_conformant(plain, all);
    mirror().sysctl("net/ipv4/ip_default_ttl", "64");
    plain.each(option(SOL_IP, IP_TTL, 99));
    expect_conformant(plain, all);
}

TEST_F(Routes, WithAnMtu)
{
    {
        Duel duel(mirror(), members("10.3.2.", n));
        for (size_t size : {971, 972})
            duel.send({.data = pattern(size)}, duel.all_fast());
        for (size_t size : {973, 1400})
            duel.send({.data = pattern(size)}, duel.all_true(2));
    }
    Duel locked(mirror(), members("10.3.3.", n));
    for (size_t size : {100, 571, 572})
        locked.send({.data = pattern(size)}, locked.all_fast());
    for (size_t size : {573, 1000})
        locked.send({.data = pattern(size)}, locked.all_true(2));
}

TEST_F(Routes, WithAnMtuAndEachMode)
{
    // What leaves whole although the route's MTU is less
    std::set<int> whole{IP_PMTUDISC_PROBE, IP_PMTUDISC_INTERFACE, IP_PMTUDISC_OMIT};
    for (int mode : {IP_PMTUDISC_DONT, IP_PMTUDISC_WANT, IP_PMTUDISC_DO, IP_PMTUDISC_PROBE,
                     IP_PMTUDISC_INTERFACE, IP_PMTUDISC_OMIT})
        for (std::string net : {"10.3.2.", "10.3.3."}) {
            SCOPED_TRACE(net + " mode " + std::to_string(mode));
            Duel duel(mirror(), members(net, n), option(SOL_IP, IP_MTU_DISCOVER, mode));
            duel.send({.data = pattern(572)}, duel.all_fast());
            for (int i = 0; i < 2; i++) {
                if (whole.count(mode))
                    duel.send({.data = pattern(1001)}, duel.all_fast());
                else if (mode == IP_PMTUDISC_DO)
                    duel.send({.data = pattern(1001)}, duel.all_fail(EMSGSIZE));
                else
                    duel.send({.data = pattern(1001)}, duel.all_true(2));
            }
        }
}

TEST_F(Routes, NoWayThere)
{
    struct {
        std::string net;
        int error;
    } kinds[] = {{"10.4.0.", EINVAL},
                 {"10.4.1.", EHOSTUNREACH},
                 {"10.4.2.", EACCES},
                 {"10.4.3.", ENETUNREACH},
                 {"10.99.0.", ENETUNREACH}};
    for (const auto &kind : kinds) {
        SCOPED_TRACE(kind.net);
        Duel duel(mirror(), members(kind.net, n));
        expect_conformant(duel, duel.all_fail(kind.error));
    }
}

TEST_F(Routes, DontRoute)
{
    Duel duel(mirror(), members("10.1.0.", n) + members("10.3.0.", n));
    Outcome onlink{.fast = n, .frames = {{"far", n}}};
    for (size_t i = n; i < 2 * n; i++)
        onlink.errors[i] = ENETUNREACH;
    for (int i = 0; i < 2; i++) {
        duel.send({.data = pattern(100), .flags = MSG_DONTROUTE}, onlink);
        duel.send({.data = pattern(100)}, {.fast = 2 * n, .frames = {{"far", 2 * n}}});
    }
}

// Of addresses of the host's own only those of lo have a route that can be kept.
TEST_F(Routes, ToOneself)
{
    {
        Duel duel(mirror(), {address("10.1.0.1", 9000), address("10.1.0.5", 9000),
                             address("10.2.0.1", 9001), address("127.0.0.1", 9001)});
        expect_conformant(duel, {.fast = 1, .frames = {{"lo", 4}}});
    }
    Duel bound(mirror(), {address("10.1.0.1", 9000), address("10.1.0.5", 9000)}, {}, "10.2.0.1");
    expect_conformant(bound, bound.all_true(1, "lo"));
}

TEST_F(Routes, AddressZero)
{
    Duel duel(mirror(), {address("0.0.0.0", 9000), address("0.0.0.0", 9001)});
    expect_conformant(duel, duel.all_true(1, "lo"));
}

TEST_F(Routes, Broadcast)
{
    std::vector<sockaddr_in> addrs{address("10.1.0.255", 9100), address("10.2.0.255", 9100)};
    Duel refused(mirror(), addrs);
    expect_conformant(refused, refused.all_fail(EACCES));
    refused.each(option(SOL_SOCKET, SO_BROADCAST, 1));
    expect_conformant(refused, {.frames = {{"far", 1}, {"far2", 1}}});
}

TEST_F(Routes, LimitedBroadcast)
{
    mirror().ip("route add 255.255.255.255 dev near");
    {
        Duel duel(mirror(), {address("255.255.255.255", 9100), address("255.255.255.255", 9101)},
                  option(SOL_SOCKET, SO_BROADCAST, 1));
        expect_conformant(duel, duel.all_true());
    }
    mirror().ip("route del 255.255.255.255 dev near");
}

TEST_F(Routes, Multicast)
{
    std::vector<sockaddr_in> addrs{address("224.1.2.3", 9100), address("239.1.2.3", 9100),
                                   address("224.0.0.250", 9100)};
    for (const auto &setup : std::vector<Duel::Setup>{
             Duel::Setup(), option(SOL_IP, IP_MULTICAST_TTL, 5),
             option(SOL_IP, IP_MULTICAST_LOOP, 0), option(SOL_IP, IP_TTL, 44)}) {
        Duel duel(mirror(), addrs, setup);
        expect_conformant(duel, duel.all_true());
    }
    ip_mreqn by{};
    by.imr_ifindex = 3;
    Duel elsewhere(mirror(), addrs, [&](const Sender &s) {
        setsockopt(s.fd(), SOL_IP, IP_MULTICAST_IF, &by, sizeof(by));
    });
    expect_conformant(elsewhere, elsewhere.all_true(1, "far2"));
}

TEST_F(Routes, ByMark)
{
    Duel duel(mirror(), members("10.5.0.", n));
    for (int i = 0; i < 2; i++) {
        expect_conformant(duel, duel.all_fast());
        duel.each(option(SOL_SOCKET, SO_MARK, 7));
        expect_conformant(duel, duel.all_fast("far2"));
        duel.each(option(SOL_SOCKET, SO_MARK, 0));
        duel.send({.data = pattern(300), .control = Control().add(SOL_SOCKET, SO_MARK, 7u)},
                  duel.all_fast("far2"));
    }
}

TEST_F(Routes, ByTos)
{
    Duel duel(mirror(), members("10.5.0.", n));
    for (int i = 0; i < 2; i++) {
        expect_conformant(duel, duel.all_fast());
        duel.each(option(SOL_IP, IP_TOS, 0x10)); // another gateway, so another MAC address
        expect_conformant(duel, duel.all_fast());
        duel.each(option(SOL_IP, IP_TOS, 0x12));
        expect_conformant(duel, duel.all_fast());
        duel.each(option(SOL_IP, IP_TOS, 0));
        duel.send({.data = pattern(300), .control = Control().add(SOL_IP, IP_TOS, 0x10)},
                  duel.all_fast());
    }
}

// A rule about users, ports and protocols: parts of the flow that a member's
// address and port belong to.
TEST_F(Routes, ByPortAndUser)
{
    mirror().ip("rule add dport 9001 ipproto 17 lookup 107\n"
                "rule add sport 4000 dport 9002 lookup 107\n"
                "rule add uidrange 0-0 dport 9003 lookup 107");
    {
        std::vector<sockaddr_in> addrs;
        for (uint16_t port = 9000; port < 9005; port++)
            addrs.push_back(address("10.5.0.10", port));
        Duel duel(mirror(), addrs);
        expect_conformant(duel, {.fast = 5, .frames = {{"far", 2}, {"far2", 3}}});
    }
    mirror().ip("rule del dport 9001 ipproto 17 lookup 107\n"
                "rule del sport 4000 dport 9002 lookup 107\n"
                "rule del uidrange 0-0 dport 9003 lookup 107");
}

// Whose the socket is counts, not who sends; and it can become another's.
TEST_F(Routes, ByUser)
{
    const std::string low = " uidrange 1000-1999 dport 9001 lookup 107",
                      high = " uidrange 2000-2999 dport 9003 lookup 107",
                      roots = " uidrange 0-0 dport 9004 lookup 107";
    Change change(mirror(), "rule add" + low + "\nrule add" + high + "\nrule add" + roots,
                  "rule del" + low + "\nrule del" + high + "\nrule del" + roots);
    std::vector<sockaddr_in> addrs;
    for (uint16_t port = 9000; port < 9005; port++)
        addrs.push_back(address("10.5.0.10", port));
    Duel duel(mirror(), addrs, owner(1500));
    const auto goes_by_far2 = [&](size_t member) {
        for (size_t size : {100, 500, 100}) {
            duel.send({.data = pattern(size)},
                      {.fast = 5, .frames = {{"far", member < 5 ? 4 : 5}, {"far2", member < 5}}});
            for (const auto &f : duel.received("far2"))
                EXPECT_EQ(f.word(Frame::ip + 22), 9000 + member);
        }
    };
    goes_by_far2(1);
    for (auto [uid, member] :
         {std::pair(0, 4), {2500, 3}, {1000, 1}, {3000, 5}, {0, 4}, {1999, 1}}) {
        SCOPED_TRACE("user " + std::to_string(uid));
        duel.each(owner(static_cast<uid_t>(uid)));
        goes_by_far2(static_cast<size_t>(member));
    }
}

// Rules that ask for what all have in common, and for a member's own port.
TEST_F(Routes, ByMarkAndTosOfSome)
{
    const std::string mark = " fwmark 8 dport 9001 lookup 107",
                      tos = " tos 0x08 dport 9003 lookup 107";
    Change change(mirror(), "rule add" + mark + "\nrule add" + tos,
                  "rule del" + mark + "\nrule del" + tos);
    std::vector<sockaddr_in> addrs;
    for (uint16_t port = 9000; port < 9005; port++)
        addrs.push_back(address("10.5.0.10", port));
    Duel duel(mirror(), addrs);
    for (int i = 0; i < 2; i++) {
        expect_conformant(duel, duel.all_fast());
        duel.each(option(SOL_SOCKET, SO_MARK, 8));
        expect_conformant(duel, {.fast = 5, .frames = {{"far", 4}, {"far2", 1}}});
        duel.each(option(SOL_IP, IP_TOS, 0x08));
        expect_conformant(duel, {.fast = 5, .frames = {{"far", 3}, {"far2", 2}}});
        duel.each(option(SOL_SOCKET, SO_MARK, 0));
        expect_conformant(duel, {.fast = 5, .frames = {{"far", 4}, {"far2", 1}}});
        duel.each(option(SOL_IP, IP_TOS, 0));
    }
}

TEST_F(Routes, AllInOneGroup)
{
    auto addrs = members("10.1.0.", 2) + members("10.4.0.", 1) + members("10.3.1.", 2) +
                 members("10.2.0.", 2) + std::vector{address("10.1.0.255", 9100)} +
                 members("10.3.5.", 1) + std::vector{address("10.1.0.1", 9000)} +
                 members("10.4.1.", 1) + std::vector{address("224.1.2.3", 9100)} +
                 members("10.3.3.", 2) + std::vector{address("0.0.0.0", 9001)} +
                 members("10.99.0.", 1) + members("10.1.0.", 2, 20);
    Duel duel(mirror(), addrs, option(SOL_SOCKET, SO_BROADCAST, 1));
    Outcome o{.fast = 11,
              .frames = {{"far", 11}, {"far2", 2}, {"lo", 2}},
              .errors = {{2, EINVAL}, {10, EHOSTUNREACH}, {15, ENETUNREACH}}};
    expect_conformant(duel, o);
    // two members' MTU is 600
    o.fast = 9;
    o.frames["far"] = 13;
    duel.send({.data = pattern(1000)}, o);
}

} // namespace
} // namespace conformance
