// SPDX-License-Identifier: GPL-2.0-only
// Devices on top of others: what is sent through them meets the lower device's
// queue, in batches, and is what sendto() would have sent.

#include "duel.hpp"
#include "numbered.hpp"

namespace conformance {
namespace {

class Stacked : public Mirrored {};

constexpr size_t n = 5;

// Whole datagrams of these lengths.
void expect_whole(Duel &duel, const std::string &tap, const std::vector<size_t> &sizes)
{
    for (size_t size : sizes) {
        SCOPED_TRACE(std::to_string(size) + " bytes");
        duel.send({.data = pattern(size)}, duel.all_fast(tap));
    }
}

// With each queue that the lower device can have.
void with_queues(Mirror &mirror, const std::string &device, const std::function<void()> &what)
{
    for (std::string qdisc : {"noqueue", "pfifo_fast", "fq"}) {
        SCOPED_TRACE(qdisc);
        mirror.tc("qdisc replace dev " + device + " root " + qdisc);
        what();
    }
    mirror.tc("qdisc del dev " + device + " root");
}

TEST_F(Stacked, Bond)
{
    for (std::string mode : {"active-backup", "balance-rr", "balance-xor"}) {
        SCOPED_TRACE(mode);
        mirror().pair("port", "far3");
        mirror().ip("link add bond7 address 02:00:00:00:0a:01 type bond mode " + mode +
                    "\nlink set port down\nlink set port master bond7\nlink set bond7 up\n"
                    "addr add 10.15.0.1/24 dev bond7\n" +
                    neighbour_entries("10.15.0.", "bond7", first_neighbour, n));
        mirror().await_up("bond7");
        with_queues(mirror(), "port", [&] {
            Duel duel(mirror(), members("10.15.0.", n));
            expect_whole(duel, "far3", {0, 100, 400, 1472, 1000});
            duel.send({.data = pattern(1473)}, duel.all_true(2, "far3"));
        });
        mirror().ip("link del bond7");
        mirror().remove("port", "far3");
    }
}

// A bond loses one device and goes on with the other.
TEST_F(Stacked, ABondsDeviceDies)
{
    mirror().pair("port", "far3");
    mirror().pair("port2", "far4");
    mirror().ip("link add bond7 address 02:00:00:00:0a:01 type bond mode active-backup miimon 10\n"
                "link set port down\nlink set port2 down\n"
                "link set port master bond7\nlink set port2 master bond7\nlink set bond7 up\n"
                "addr add 10.15.0.1/24 dev bond7\n" +
                neighbour_entries("10.15.0.", "bond7", first_neighbour, n));
    mirror().await_up("bond7");
    mirror().ip("link set bond7 type bond active_slave port");
    {
        Duel duel(mirror(), members("10.15.0.", n));
        for (size_t size : {100, 1000})
            duel.send({.data = pattern(size)}, duel.all_fast("far3"));
        mirror().ip("link set port nomaster\nlink set port down");
        for (size_t size : {100, 1000})
            duel.send({.data = pattern(size)}, duel.all_fast("far4"));
    }
    mirror().ip("link del bond7");
    mirror().remove("port", "far3");
    mirror().remove("port2", "far4");
}

// Inside the tunnel's packets identifiers would differ, as they do between any
// two sends: without fragmentation there are none.
const auto no_ident = option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);

TEST_F(Stacked, Vxlan)
{
    mirror().ip("link add vx7 address 02:00:00:00:0b:01 type vxlan id 7 dev near local 10.1.0.1 "
                "remote 10.1.0.10 dstport 4789 srcport 5000 5001 nolearning\n"
                "link set vx7 up\naddr add 10.16.0.1/24 dev vx7\n" +
                neighbour_entries("10.16.0.", "vx7", first_neighbour, n));
    with_queues(mirror(), "near", [&] {
        Duel duel(mirror(), members("10.16.0.", n), no_ident);
        expect_whole(duel, "far", {0, 100, 400, 1400, 1000});
    });
    mirror().ip("link del vx7");
}

TEST_F(Stacked, Gre)
{
    mirror().ip("link add gre7 type gre local 10.1.0.1 remote 10.1.0.10 ttl 9\n"
                "link set gre7 up\naddr add 10.17.0.1/24 dev gre7");
    with_queues(mirror(), "near", [&] {
        Duel duel(mirror(), members("10.17.0.", n), no_ident);
        expect_whole(duel, "far", {0, 100, 400, 1400, 1000});
    });
    mirror().ip("link del gre7");
}

// Members behind devices of every kind in turns: a batch changes its device with
// each member, and comes to some devices by way of others as well as directly.
class InTurns : public Stacked {
protected:
    static constexpr size_t rounds = 12; // which is more than one batch
    static std::vector<sockaddr_in> addresses()
    {
        std::vector<sockaddr_in> addrs;
        for (unsigned i = first_neighbour; i < first_neighbour + rounds; i++)
            for (std::string prefix : prefixes)
                addrs = addrs + members(prefix, 1, i);
        return addrs;
    }
    void SetUp() override
    {
        mirror().pair("port", "far3");
        mirror().pair("port4", "far4");
        mirror().ip("link add link near name v5 type vlan id 5\nlink set v5 up\n"
                    "addr add 10.12.0.1/24 dev v5\n" +
                    entries("10.12.0.", "v5") +
                    "link add vx7 address 02:00:00:00:0b:01 type vxlan id 7 dev near "
                    "local 10.1.0.1 remote 10.1.0.10 dstport 4789 srcport 5000 5001 nolearning\n"
                    "link set vx7 up\naddr add 10.16.0.1/24 dev vx7\n" +
                    entries("10.16.0.", "vx7") +
                    "link add gre7 type gre local 10.1.0.1 remote 10.1.0.10 ttl 9\n"
                    "link set gre7 up\naddr add 10.17.0.1/24 dev gre7\n"
                    "link add bond7 address 02:00:00:00:0a:01 type bond mode balance-rr\n"
                    "link set port down\nlink set port master bond7\nlink set bond7 up\n"
                    "addr add 10.15.0.1/24 dev bond7\n" +
                    entries("10.15.0.", "bond7") +
                    "link add vrf7 type vrf table 1007\nlink set vrf7 up\n"
                    "link set port4 master vrf7\nlink set port4 up\n"
                    "addr add 10.18.0.1/24 dev port4\n"
                    "route add 10.19.0.0/24 via 10.18.0.10 vrf vrf7\n"
                    "route add 10.19.0.0/24 dev vrf7\n" + // from outside
                    entries("10.18.0.", "port4"));
        mirror().await_up("bond7");
        mirror().await_up("port4");
    }
    void TearDown() override
    {
        if (!HasFailure()) {
            mirror().ip("link del v5\nlink del vx7\nlink del gre7\nlink del bond7\n"
                        "link del vrf7");
            mirror().remove("port", "far3");
            mirror().remove("port4", "far4");
        }
        Stacked::TearDown();
    }
    // Of the devices below, which are what the frames come through.
    void with_queues(const std::function<void()> &what)
    {
        for (std::string qdisc : {"noqueue", "pfifo_fast", "fq"}) {
            SCOPED_TRACE(qdisc);
            for (std::string device : {"near", "near2", "port", "port4"})
                mirror().tc("qdisc replace dev " + device + " root " + qdisc);
            what();
        }
        for (std::string device : {"near", "near2", "port", "port4"})
            mirror().tc("qdisc del dev " + device + " root");
    }

    // Near itself, bond, GRE, near2, VLAN, VRF, VXLAN: three of them are upon near.
    static inline const std::vector<std::string> prefixes{
        "10.1.0.", "10.15.0.", "10.17.0.", "10.2.0.", "10.12.0.", "10.19.0.", "10.16.0."};

private:
    static std::string entries(const std::string &prefix, const std::string &device)
    {
        return neighbour_entries(prefix, device, first_neighbour, rounds);
    }
};

TEST_F(InTurns, EachSend)
{
    with_queues([&] {
        Duel duel(mirror(), addresses(), no_ident);
        for (size_t size : {0, 100, 400, 1400, 1000}) {
            SCOPED_TRACE(std::to_string(size) + " bytes");
            duel.send(
                {.data = pattern(size)},
                {.fast = 7 * rounds,
                 .frames = {
                     {"far", 4 * rounds}, {"far2", rounds}, {"far3", rounds}, {"far4", rounds}}});
        }
    });
}

// Many sends in a row: each member has each of them once, and in their order.
TEST_F(InTurns, ManySends)
{
    const auto addrs = addresses();
    with_queues([&] {
        expect_each_in_order(
            mirror().group, addrs,
            {{"far", 4 * rounds}, {"far2", rounds}, {"far3", rounds}, {"far4", rounds}}, 30);
    });
}

TEST_F(Stacked, Vrf)
{
    mirror().pair("port", "far3");
    mirror().ip("link add vrf7 type vrf table 1007\nlink set vrf7 up\n"
                "link set port master vrf7\nlink set port up\n"
                "addr add 10.18.0.1/24 dev port\n"
                "route add 10.19.0.0/24 via 10.18.0.10 vrf vrf7\n" +
                neighbour_entries("10.18.0.", "port", first_neighbour, n));
    for (std::string qdisc : {"noqueue", "pfifo_fast"}) {
        // a VRF with a queue takes another way through the driver
        mirror().tc("qdisc replace dev vrf7 root " + qdisc);
        auto in_vrf = [](const Sender &s) {
            if (setsockopt(s.fd(), SOL_SOCKET, SO_BINDTODEVICE, "vrf7", 5) < 0)
                throw std::runtime_error("SO_BINDTODEVICE");
        };
        {
            Duel duel(mirror(), members("10.18.0.", n) + members("10.19.0.", n), in_vrf);
            expect_whole(duel, "far3", {100, 1000, 1472});
        }
        // who is not in it has no way there
        Duel outside(mirror(), members("10.18.0.", n) + members("10.1.0.", n));
        Outcome o{.fast = n, .frames = {{"far", n}}};
        for (size_t i = 0; i < n; i++)
            o.errors[i] = ENETUNREACH;
        for (size_t size : {100, 1000})
            outside.send({.data = pattern(size)}, o);
    }
    mirror().ip("link del vrf7");
    mirror().remove("port", "far3");
}

// A device of several queues, each with a qdisc of its own.
TEST_F(Stacked, ManyQueues)
{
    mirror().pair("port", "far3", "numtxqueues 4 numrxqueues 4");
    mirror().ip("link set port up\naddr add 10.20.0.1/24 dev port\n" +
                neighbour_entries("10.20.0.", "port", first_neighbour, n));
    mirror().await_up("port");
    mirror().tc("qdisc replace dev port root handle 1: mq");
    {
        Duel duel(mirror(), members("10.20.0.", n));
        expect_whole(duel, "far3", {0, 100, 1472, 1000});
    }
    mirror().remove("port", "far3");
}

// A qdisc with classes: by mark, one of them slower than the other.
TEST_F(Stacked, Classes)
{
    mirror().tc("qdisc replace dev near root handle 1: htb default 2\n"
                "class add dev near parent 1: classid 1:1 htb rate 10gbit\n"
                "class add dev near parent 1:1 classid 1:2 htb rate 5gbit ceil 10gbit\n"
                "class add dev near parent 1:1 classid 1:3 htb rate 1gbit ceil 10gbit\n"
                "filter add dev near parent 1: protocol ip u32 match ip dst 10.1.0.12/32 "
                "flowid 1:3");
    {
        Duel duel(mirror(), members("10.1.0.", n));
        for (size_t size : {100, 1472, 1000}) {
            Outcome o = duel.all_fast();
            o.ordered = false; // of classes
            duel.send({.data = pattern(size)}, o);
        }
    }
    mirror().tc("qdisc del dev near root");
}

} // namespace
} // namespace conformance
