// SPDX-License-Identifier: GPL-2.0-only
// Several ways to the same members, of which one dies.

#include "duel.hpp"

namespace conformance {
namespace {

constexpr size_t n = 16;

// Which of the members leave by this device, says the routing.
size_t routed_by(const World &w, const std::vector<sockaddr_in> &members, const std::string &device)
{
    size_t by = 0;
    for (const auto &m : members)
        by += output_of(*w.sender, std::string("ip route get ") + inet_ntoa(m.sin_addr) +
                                       " ipproto udp sport 4000 dport " +
                                       std::to_string(ntohs(m.sin_port)))
                  .find("dev " + device + " ") != std::string::npos;
    return by;
}

TEST(NextHop, OneOfTwoDies)
{
    Mirror mirror;
    const std::string both = "10.46.0.0/24 nexthop via 10.1.0.254 dev near "
                             "nexthop via 10.2.0.254 dev near2";
    mirror.ip("route add " + both);
    // by the whole flow: members differ in their ports, too
    mirror.sysctl("net/ipv4/fib_multipath_hash_policy", "1");
    auto addrs = members("10.46.0.", n);
    Duel duel(mirror, addrs);
    size_t near = routed_by(mirror.group, addrs, "near");
    ASSERT_GT(near, 0u);
    ASSERT_LT(near, n);
    Outcome spread{.fast = n, .frames = {{"far", near}, {"far2", n - near}}};
    for (size_t size : {100, 1000, 100})
        duel.send({.data = pattern(size)}, spread);

    // its carrier goes: what it was for goes the other way
    mirror.sysctl("net/ipv4/conf/near/ignore_routes_with_linkdown", "1");
    mirror.peer_ip("link set far down");
    mirror.each([&](World &w) {
        EXPECT_TRUE(eventually([&] { return routed_by(w, addrs, "near") == 0; }));
    });
    for (size_t size : {100, 1000, 100})
        duel.send({.data = pattern(size)}, duel.all_fast("far2"));

    // and comes back
    mirror.peer_ip("link set far up");
    mirror.await_up("near");
    for (size_t size : {100, 1000, 100})
        duel.send({.data = pattern(size)}, spread);

    // one is a hole that swallows all: nobody notices, as with sendto()
    mirror.ip("route replace 10.46.0.0/24 via 10.1.0.254 dev near");
    for (size_t size : {100, 1000})
        duel.send({.data = pattern(size)}, duel.all_fast());
}

// A router that does not answer any more.
TEST(NextHop, NeighbourFails)
{
    Mirror mirror;
    mirror.ip("route add 10.47.0.0/24 via 10.1.0.200");
    mirror.sysctl("net/ipv4/neigh/near/mcast_solicit", "1");
    mirror.sysctl("net/ipv4/neigh/near/retrans_time_ms", "100");
    auto addrs = members("10.47.0.", 4) + members("10.1.0.", 4);
    Duel duel(mirror, addrs);
    Outcome half{.fast = 8, .frames = {{"far", 4}}};
    for (int i = 0; i < 2; i++)
        duel.send({.data = pattern(100)}, half);
    // what has waited for an answer is given up
    mirror.each([](World &w) {
        EXPECT_TRUE(eventually([&] {
            return output_of(*w.sender, "ip neigh show 10.1.0.200").find("FAILED") !=
                   std::string::npos;
        }));
    });
    // and from here on all are there
    mirror.ip("neigh replace 10.1.0.200 lladdr 02:00:00:00:03:c8 dev near nud permanent");
    for (size_t size : {100, 1000})
        duel.send({.data = pattern(size)}, duel.all_fast());
}

} // namespace
} // namespace conformance
