// SPDX-License-Identifier: GPL-2.0-only
// Several ways to the same members, of which one dies: a route with two next hops,
// and next hops that are objects of their own.

#include "duel.hpp"

#include <thread>

namespace conformance {
namespace {

constexpr size_t n = 16;

// Which way a member goes is a matter of the whole flow, that is of its port, too.
class NextHop : public Mirrored {
protected:
    void SetUp() override
    {
        mirror().pair("port", "far3");
        mirror().ip("link set port up\naddr add 10.20.0.1/24 dev port\n" + gateway());
        mirror().await_up("port");
        mirror().sysctl("net/ipv4/fib_multipath_hash_policy", "1");
    }
    void TearDown() override
    {
        if (!HasFailure()) {
            mirror().sysctl("net/ipv4/fib_multipath_hash_policy", "0");
            mirror().remove("port", "far3");
        }
        Mirrored::TearDown();
    }
    // A device that goes down forgets whom it knew.
    static std::string gateway() { return neighbour_entries("10.20.0.", "port", 253, 2); }
    // All lengths that differ in how datagrams are made: copied, shared, in pieces.
    // So many of the members go by near, the others by port.
    static void expect_spread(Duel &duel, size_t near)
    {
        const size_t port = duel.size() - near;
        for (size_t size : {100, 1000, 100})
            duel.send({.data = pattern(size)},
                      {.fast = duel.size(), .frames = {{"far", near}, {"far3", port}}});
        duel.send({.data = pattern(1473)}, {.frames = {{"far", 2 * near}, {"far3", 2 * port}}});
    }
    static void expect_all(Duel &duel, const std::string &tap = "far")
    {
        expect_spread(duel, tap == "far" ? duel.size() : 0);
    }
};

// How many of the members leave by near, says the routing.
size_t by_near(const World &w, const std::vector<sockaddr_in> &members)
{
    std::string command = "ip -batch - <<end\n";
    for (const auto &m : members)
        command += std::string("route get ") + inet_ntoa(m.sin_addr) +
                   " ipproto 17 sport 4000 dport " + std::to_string(ntohs(m.sin_port)) + "\n";
    const std::string ways = output_of(*w.sender, command + "end\n"), dev = "dev near ";
    size_t by = 0;
    for (size_t at = 0; (at = ways.find(dev, at)) != std::string::npos; at += dev.size())
        by++;
    return by;
}

const std::string route = "10.46.0.0/24 nexthop via 10.1.0.254 dev near "
                          "nexthop via 10.20.0.254 dev port";

TEST_F(NextHop, LosesItsCarrier)
{
    Change change(mirror(), "route add " + route, "route del 10.46.0.0/24");
    const auto addrs = members("10.46.0.", n);
    const size_t near = by_near(mirror().group, addrs);
    ASSERT_GT(near, 0u);
    ASSERT_LT(near, n);
    Duel duel(mirror(), addrs);
    expect_spread(duel, near);
    for (bool ignored : {false, true}) {
        SCOPED_TRACE(ignored ? "another way is taken" : "the way stays");
        mirror().sysctl("net/ipv4/conf/port/ignore_routes_with_linkdown", ignored ? "1" : "0");
        mirror().peer_ip("link set far3 down");
        mirror().await_down("port");
        if (ignored) {
            expect_all(duel);
        } else {
            // a hole that swallows all it gets, and tells neither sendto() nor a group
            for (size_t size : {100, 1000})
                duel.send({.data = pattern(size)}, {.fast = n, .frames = {{"far", near}}});
        }
        mirror().peer_ip("link set far3 up");
        mirror().await_up("port");
        expect_spread(duel, near);
    }
}

TEST_F(NextHop, GoesDownAndComesBack)
{
    Change change(mirror(), "route add " + route, "route del 10.46.0.0/24");
    const auto addrs = members("10.46.0.", n);
    const size_t near = by_near(mirror().group, addrs);
    Duel duel(mirror(), addrs);
    expect_spread(duel, near);
    for (int i = 0; i < 2; i++) {
        mirror().ip("link set port down");
        expect_all(duel);
        mirror().ip("link set port up\n" + gateway());
        mirror().await_up("port");
        expect_spread(duel, near);
    }
    mirror().ip("route replace 10.46.0.0/24 via 10.20.0.254");
    expect_all(duel, "far3");
    mirror().ip("link set port down");
    duel.send({.data = pattern(100)}, duel.all_fail(ENETUNREACH));
    mirror().ip("link set port up\n" + gateway() + "route add 10.46.0.0/24 via 10.20.0.254");
    mirror().await_up("port");
    expect_all(duel, "far3");
}

// With its device the whole route goes, whatever other way it had.
TEST_F(NextHop, IsDeleted)
{
    mirror().pair("port4", "far4");
    mirror().ip("link set port4 up\naddr add 10.21.0.1/24 dev port4\n" +
                neighbour_entries("10.21.0.", "port4", 254, 1));
    mirror().await_up("port4");
    mirror().ip("route add 10.46.0.0/24 nexthop via 10.1.0.254 dev near "
                "nexthop via 10.21.0.254 dev port4");
    const auto addrs = members("10.46.0.", n);
    const size_t near = by_near(mirror().group, addrs);
    {
        Duel duel(mirror(), addrs);
        for (size_t size : {100, 1000})
            duel.send({.data = pattern(size)},
                      {.fast = n, .frames = {{"far", near}, {"far4", n - near}}});
        mirror().remove("port4", "far4");
        duel.send({.data = pattern(100)}, duel.all_fail(ENETUNREACH));
        mirror().ip("route add 10.46.0.0/24 via 10.1.0.254");
        expect_all(duel);
    }
    mirror().ip("route del 10.46.0.0/24");
}

const std::string objects = "nexthop add id 1 via 10.1.0.254 dev near\n"
                            "nexthop add id 2 via 10.20.0.254 dev port\n"
                            "nexthop add id 10 group 1/2\n"
                            "route add 10.46.0.0/24 nhid 10";

TEST_F(NextHop, IsAnObject)
{
    Change change(mirror(), objects, "nexthop flush");
    const auto addrs = members("10.46.0.", n);
    const size_t near = by_near(mirror().group, addrs);
    ASSERT_GT(near, 0u);
    ASSERT_LT(near, n);
    Duel duel(mirror(), addrs);
    auto after = [&](const std::string &lines) {
        SCOPED_TRACE(lines);
        mirror().ip(lines);
    };
    expect_spread(duel, near);
    after("nexthop del id 2");
    expect_all(duel);
    after("nexthop add id 2 via 10.20.0.254 dev port\nnexthop replace id 10 group 1/2");
    expect_spread(duel, near);
    after("nexthop replace id 1 via 10.1.0.253 dev near"); // another MAC address
    expect_spread(duel, near);
    after("nexthop replace id 2 via 10.1.0.254 dev near");
    expect_all(duel);
    after("nexthop replace id 2 via 10.20.0.253 dev port\nnexthop replace id 10 group 2");
    expect_all(duel, "far3");
    after("nexthop replace id 2 blackhole");
    duel.send({.data = pattern(100)}, duel.all_fail(EINVAL));
    after("nexthop replace id 2 via 10.20.0.254 dev port\nnexthop replace id 10 group 1/2");
    expect_spread(duel, near);
    after("link set port down"); // which deletes those on it
    expect_all(duel);
    after("nexthop del id 10"); // and the route with it
    duel.send({.data = pattern(100)}, duel.all_fail(ENETUNREACH));
    after("link set port up\n" + gateway() +
          "nexthop add id 2 via 10.20.0.254 dev port\nnexthop add id 10 group 1/2\n"
          "route add 10.46.0.0/24 nhid 10");
    mirror().await_up("port");
    expect_spread(duel, near);
}

// A router that does not answer: what waited for it is given up, and ICMP tells
// whoever sent it, which is no error of the next send. No timer has a say in it.
TEST_F(NextHop, DoesNotAnswer)
{
    mirror().sysctl("net/ipv4/neigh/port/retrans_time_ms", "3600000");
    Change change(mirror(), "route add 10.47.0.0/24 via 10.20.0.200", "route del 10.47.0.0/24");
    Duel duel(mirror(), members("10.47.0.", 4) + members("10.1.0.", 4));
    const Outcome half{.fast = 8, .frames = {{"far", 4}}},
        all{.fast = 8, .frames = {{"far", 4}, {"far3", 4}}};
    for (size_t size : {100, 1000})
        duel.send({.data = pattern(size)}, half);
    mirror().ip("neigh change 10.20.0.200 dev port nud failed");
    EXPECT_TRUE(eventually([&] { return duel.group_sender().stat().totals.icmp == 8; }))
        << duel.group_sender().stat().totals.icmp;
    mirror().each([](World &w) { EXPECT_EQ(w.taps.at("lo").take(8).size(), 8u); });
    for (size_t size : {100, 1000})
        duel.send({.data = pattern(size)}, half);
    // what has waited leaves at last
    mirror().ip("neigh replace 10.20.0.200 lladdr 02:00:00:00:03:c8 dev port nud permanent");
    mirror().each([](World &w) { EXPECT_EQ(w.taps.at("far3").take(8).size(), 8u); });
    for (size_t size : {100, 1000})
        duel.send({.data = pattern(size)}, all);
}

// What begins the data.
std::string numbered(uint32_t number, size_t size)
{
    std::string data = pattern(size);
    memcpy(data.data(), &number, sizeof(number));
    return data;
}

// Which datagrams came by which device, and that they are what was sent.
class Arrivals {
public:
    explicit Arrivals(World &w) : world_(w) {}
    void look()
    {
        for (std::string tap : {"far", "far3"})
            for (const auto &f : world_.taps.at(tap).take(0)) {
                const std::string data = f.data();
                uint32_t number = 0;
                ASSERT_GE(data.size(), sizeof(number));
                memcpy(&number, data.data(), sizeof(number));
                EXPECT_TRUE(data == numbered(number, data.size())) << "not what was sent";
                EXPECT_TRUE(seen_[f.to()].insert(number).second)
                    << number << " twice at " << f.to();
                by_[tap]++;
            }
    }
    size_t by(const std::string &tap) { return by_[tap]; }
    size_t all() { return by_["far"] + by_["far3"]; }
    size_t at(const sockaddr_in &member) { return seen_[inet_ntoa(member.sin_addr)].size(); }

private:
    World &world_;
    std::map<std::string, std::set<uint32_t>> seen_;
    std::map<std::string, size_t> by_;
};

struct Fate {
    uint32_t sent, failed;
};

// Sends all the time while something is done, and a little longer.
void send_while(World &w, const std::string &lines, bool by_group, bool lossless)
{
    SCOPED_TRACE(by_group ? "by a group" : "by sendto()");
    In in(*w.sender);
    const auto addrs = members("10.46.0.", n);
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    Arrivals arrivals(w);
    std::vector<Fate> fates(n);
    std::atomic<bool> done = false;
    std::thread disturbance([&] {
        stay_on(1);
        std::string all;
        for (int i = 0; i < 12; i++)
            all += lines;
        feed(*w.sender, "ip -batch -", all);
        done = true;
    });
    uint32_t sends = 0;
    for (uint32_t left = 10; left; left -= done) {
        const std::string data = numbered(sends, sends % 2 ? 100 : 1000);
        sends++;
        const auto size = static_cast<long>(data.size());
        if (by_group) {
            EXPECT_EQ(s.send(data), size);
        } else {
            for (size_t i = 0; i < n; i++)
                (s.send_to(data, addrs[i]) == size ? fates[i].sent : fates[i].failed)++;
        }
        arrivals.look();
    }
    disturbance.join();
    const auto stat = s.stat();
    for (size_t i = 0; by_group && i < n; i++)
        fates[i] = {static_cast<uint32_t>(stat.members[i].sent),
                    static_cast<uint32_t>(stat.members[i].failed)};
    EXPECT_TRUE(!lossless || eventually([&] {
        arrivals.look();
        return arrivals.all() == n * sends;
    })) << arrivals.all()
        << " of " << n * sends;
    for (size_t i = 0; i < n; i++) {
        SCOPED_TRACE("member " + std::to_string(i));
        EXPECT_EQ(fates[i].sent + fates[i].failed, sends);
        EXPECT_LE(arrivals.at(addrs[i]), fates[i].sent);
        EXPECT_TRUE(!lossless || fates[i].sent == sends);
    }
    EXPECT_GT(arrivals.by("far"), 0u);
    EXPECT_GT(arrivals.by("far3"), 0u);
}

// A next hop is there and gone while sends are under way. None loses a datagram
// by that, or gets one twice.
TEST_F(NextHop, IsReplacedDuringSends)
{
    Change change(mirror(), objects, "nexthop flush");
    for (bool by_group : {false, true})
        send_while(by_group ? mirror().group : mirror().one,
                   "nexthop replace id 10 group 1\nnexthop replace id 10 group 2\n"
                   "nexthop replace id 10 group 1/2\n"
                   "nexthop replace id 2 via 10.1.0.254 dev near\n"
                   "nexthop replace id 2 via 10.20.0.254 dev port\n",
                   by_group, true);
}

// Some of what leaves by a device that goes down is lost, whoever sends it.
TEST_F(NextHop, GoesDownDuringSends)
{
    Change change(mirror(), "route add " + route, "route del 10.46.0.0/24");
    for (bool by_group : {false, true})
        send_while(by_group ? mirror().group : mirror().one,
                   "link set port down\nlink set port up\n" + gateway(), by_group, false);
}

} // namespace
} // namespace conformance
