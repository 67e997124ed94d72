// SPDX-License-Identifier: GPL-2.0-only
// Devices on the way out, and the queues before them.

#include "duel.hpp"
#include "queues.hpp"

namespace conformance {
namespace {

class Devices : public Mirrored {};

constexpr size_t n = 5;

// Each length twice, so that the second finds paths, and one that is too large.
void expect_conformant(Duel &duel, const std::string &tap, bool ordered = true)
{
    Outcome o = duel.all_fast(tap), fragments = duel.all_true(2, tap);
    o.ordered = fragments.ordered = ordered;
    for (size_t size : {0, 1, 100, 271, 400, 1472, 100, 1000}) {
        SCOPED_TRACE(std::to_string(size) + " bytes");
        duel.send({.data = pattern(size)}, o);
    }
    duel.send({.data = pattern(1473)}, fragments);
    duel.send({.data = pattern(3)}, o);
}

TEST_F(Devices, Vlan)
{
    mirror().ip("link add link near name v5 type vlan id 5 egress-qos-map 0:1 3:2 6:5\n"
                "link set v5 up\n"
                "addr add 10.12.0.1/24 dev v5\n" +
                neighbour_entries("10.12.0.", "v5", first_neighbour, n));
    {
        Duel duel(mirror(), members("10.12.0.", n));
        expect_conformant(duel, "far");
        for (int priority : {3, 6, 1}) {
            duel.each(option(SOL_SOCKET, SO_PRIORITY, priority)); // in the tag
            duel.send({.data = pattern(100)}, duel.all_fast());
        }
        duel.each(option(SOL_IP, IP_TOS, 0x10)); // which is priority 6
        duel.send({.data = pattern(1000)}, duel.all_fast());
    }
    {
        Duel duel(mirror(),
                  members("10.12.0.", 2) + members("10.1.0.", 2) + members("10.12.0.", 2, 12));
        duel.send({.data = pattern(500)}, {.fast = 6, .frames = {{"far", 6}}});
    }
    mirror().ip("link del v5");
}

TEST_F(Devices, Bridge)
{
    mirror().pair("port", "far3");
    mirror().ip("link add br0 address 02:00:00:00:07:01 type bridge mcast_snooping 0\n"
                "link set port master br0\n"
                "link set port up\n"
                "link set br0 up\n"
                "addr add 10.13.0.1/24 dev br0\n" +
                neighbour_entries("10.13.0.", "br0", first_neighbour, n));
    mirror().await_up("br0");
    {
        Duel duel(mirror(), members("10.13.0.", n));
        expect_conformant(duel, "far3");
    }
    mirror().ip("link del br0");
    mirror().remove("port", "far3");
}

TEST_F(Devices, Macvlan)
{
    mirror().ip("link add link near name mv address 02:00:00:00:08:01 type macvlan mode bridge\n"
                "link set mv up\n"
                "addr add 10.14.0.1/24 dev mv\n" +
                neighbour_entries("10.14.0.", "mv", first_neighbour, n));
    {
        Duel duel(mirror(), members("10.14.0.", n));
        expect_conformant(duel, "far");
    }
    mirror().ip("link del mv");
}

// Neighbours that are asked for: what waits for an answer leaves in its order.
TEST_F(Devices, NeighboursToBeFound)
{
    mirror().peer_ip("addr add 10.1.0.201/24 dev far\n"
                     "addr add 10.1.0.202/24 dev far\n"
                     "addr add 10.1.0.203/24 dev far");
    {
        Duel duel(mirror(),
                  {address("10.1.0.201", 9), address("10.1.0.202", 9), address("10.1.0.203", 9)});
        // nobody is at port 9, and ICMP says so, but not more often than allowed
        mirror().each([](World &w) {
            feed(*w.peer, "nft -f -",
                 "table ip t {\n chain in {\n type filter hook input priority 0; policy drop;\n "
                 "}\n}\n");
        });
        Outcome o = duel.all_fast();
        o.ordered = false;
        for (size_t size : {100, 1000, 100})
            duel.send({.data = pattern(size)}, o);
    }
    mirror().each([](World &w) { feed(*w.peer, "nft -f -", "flush ruleset\n"); });
    mirror().peer_ip("addr flush dev far");
}

struct Queue {
    std::string name;
    bool ordered; // across members
};

TEST_F(Devices, Queues)
{
    for (const auto &[name, ordered] : std::vector<Queue>{
             {"noqueue", true},
             {"pfifo_fast", true},
             {"pfifo limit 1000", true},
             {"fq", true},
             {patient, false},
             {"tbf rate 10gbit burst 1m limit 2m", true},
             {"netem limit 1000", true},
         }) {
        SCOPED_TRACE(name);
        mirror().tc("qdisc replace dev near root " + name);
        for (bool sum : {true, false}) {
            mirror().checksum("near", sum);
            Duel duel(mirror(), members("10.1.0.", n));
            expect_conformant(duel, "far", ordered);
        }
    }
    mirror().checksum("near", true);
    mirror().tc("qdisc del dev near root");
}

// More members than a batch has, by two devices in turn.
TEST_F(Devices, TwoQueuesInTurn)
{
    mirror().ip("route add 10.31.0.0/16 via 10.1.0.254\nroute add 10.32.0.0/16 via 10.2.0.254");
    mirror().tc("qdisc add dev near root pfifo_fast\nqdisc add dev near2 root " + patient);
    {
        std::vector<sockaddr_in> addrs;
        for (uint32_t i = 1; i <= 50; i++)
            addrs = addrs + many(0x0a1f0000 + i, 1) + many(0x0a200000 + i, 1);
        Duel duel(mirror(), addrs);
        Outcome o{.fast = 100, .frames = {{"far", 50}, {"far2", 50}}};
        o.ordered = false;
        for (size_t size : {100, 1000})
            duel.send({.data = pattern(size)}, o);
    }
    mirror().tc("qdisc del dev near root\nqdisc del dev near2 root");
    mirror().ip("route del 10.31.0.0/16\nroute del 10.32.0.0/16");
}

// A short queue sees the packets of a sendto() loop one at a time.
void expect_room_in(Mirror &mirror, const std::string &queue)
{
    Change route(mirror, "route add 10.31.0.0/16 via 10.1.0.254", "route del 10.31.0.0/16");
    mirror.tc("qdisc replace dev near root " + queue);
    {
        Duel duel(mirror, many(0x0a1f0001, 40));
        for (size_t size : {100, 1000})
            duel.send({.data = pattern(size)}, duel.all_fast());
    }
    mirror.tc("qdisc del dev near root");
}

TEST_F(Devices, SmallQueue) { expect_room_in(mirror(), "pfifo limit 10"); }

// Queues that let three datagrams leave at once, and the next in a minute, and have
// room for some. Those that drop the datagram that has no room say so; others make
// room by dropping what came before, and that is their secret.
struct FullQueue {
    std::string lines;
    bool drops_last;
};

const std::string slow = "tbf rate 64bit burst 1700 limit 20000";

const FullQueue full_queues[] = {
    {slow, true},
    {"handle 1: " + slow + "\nqdisc replace dev near parent 1:1 pfifo limit 30", true},
    {"handle 1: " + slow + "\nqdisc replace dev near parent 1:1 fq limit 30", true},
    {"handle 1: " + slow + "\nqdisc replace dev near parent 1:1 fq_codel limit 30", false},
    {"handle 1: htb default 1\nclass add dev near parent 1: classid 1:1 htb rate 64bit "
     "quantum 1600 burst 1700 cburst 1700\nqdisc replace dev near parent 1:1 pfifo limit 30",
     true},
};

// Each drop is told of, and is its member's, and nothing else is lost. What sendto()
// would hide is no secret here.
TEST_F(Devices, DropsHaveTheirMember)
{
    constexpr size_t many_members = 100;
    mirror().ip("route add 10.31.0.0/16 via 10.1.0.254");
    for (const auto &queue : full_queues) {
        SCOPED_TRACE(queue.lines);
        mirror().tc("qdisc replace dev near root " + queue.lines);
        auto &w = mirror().group;
        In in(*w.sender);
        Sender s;
        auto addrs = many(0x0a1f0001, many_members);
        ASSERT_EQ(s.set(addrs), 0);
        auto udp = counters();
        SendTrace::of_all().take();
        EXPECT_EQ(s.send(pattern(500)), 500);
        udp = growth(udp, counters());
        auto events = SendTrace::of_all().take();
        ASSERT_EQ(events.size(), 1u);
        EXPECT_EQ(events[0].fast, many_members);
        auto q = queue_of(w, "near");
        EXPECT_GT(q.sent, 0u);
        EXPECT_GT(q.waiting, 20u);
        EXPECT_GT(q.dropped, 20u);
        EXPECT_EQ(q.sent + q.waiting + q.dropped, many_members);
        auto stat = s.stat();
        EXPECT_EQ(stat.totals.sent + stat.totals.failed, many_members);
        if (queue.drops_last) {
            EXPECT_EQ(stat.totals.failed, q.dropped);
        }
        EXPECT_EQ(udp["Udp:OutDatagrams"], long(stat.totals.sent));
        EXPECT_EQ(udp["Udp:SndbufErrors"], long(stat.totals.failed));
        EXPECT_EQ(udp["Ip:OutDiscards"], long(stat.totals.failed));
        // those that have passed the queue are of members that were sent to
        auto frames = w.taps.at("far").take(q.sent);
        EXPECT_EQ(frames.size(), q.sent);
        for (const auto &f : frames) {
            bool found = false;
            for (const auto &m : stat.members) {
                bool is = !memcmp(&m.addr.in.sin_addr, f.destination().data(), 4);
                found |= is && m.sent == 1;
            }
            EXPECT_TRUE(found) << "a frame of nobody's";
        }
        for (const auto &m : stat.members) {
            EXPECT_EQ(m.sent + m.failed, 1u);
            EXPECT_EQ(m.error, m.failed ? ENOBUFS : 0);
        }
        mirror().tc("qdisc del dev near root");
    }
    mirror().ip("route del 10.31.0.0/16");
}

// Departure times, which fq keeps.
TEST_F(Devices, DepartureTimes)
{
    mirror().tc("qdisc add dev near root fq");
    {
        auto &w = mirror().group;
        In in(*w.sender);
        Sender s;
        sock_txtime txtime{.clockid = CLOCK_MONOTONIC, .flags = 0};
        ASSERT_EQ(setsockopt(s.fd(), SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)), 0);
        ASSERT_EQ(s.set(members("10.1.0.", n)), 0);
        for (size_t size : {100, 1000}) {
            SendTrace::of_all().take();
            w.taps.at("far").take(0); // what the test before has left
            uint64_t time = monotonic() + 4'000'000'000;
            Message m(pattern(size), leave_at(time));
            EXPECT_EQ(m.send(s), static_cast<long>(size));
            EXPECT_TRUE(w.taps.at("far").take(0).empty());
            EXPECT_LT(monotonic(), time) << "too slow to see anything";
            while (monotonic() + 500'000'000 < time)
                usleep(10'000);
            EXPECT_EQ(w.taps.at("far").take(n).size(), n);
            EXPECT_GE(monotonic(), time);
            auto events = SendTrace::of_all().take();
            ASSERT_EQ(events.size(), 1u);
            EXPECT_EQ(events[0].fast, n);
        }
    }
    mirror().tc("qdisc del dev near root");
}

// What the device does with a frame is decided when it leaves.
TEST_F(Devices, OffloadsSwitchedBetweenSends)
{
    Duel duel(mirror(), members("10.1.0.", n));
    for (auto [sum, sg] :
         {std::pair(true, true), {false, true}, {true, false}, {false, false}, {true, true}}) {
        SCOPED_TRACE(std::string(sum ? "checksum" : "no checksum") +
                     (sg ? ", scatter-gather" : ", no scatter-gather"));
        mirror().checksum("near", sum);
        mirror().scatter_gather("near", sg);
        for (size_t size : {100, 1000, 1472})
            duel.send({.data = pattern(size)}, duel.all_fast());
    }
}

} // namespace
} // namespace conformance
