// SPDX-License-Identifier: GPL-2.0-only
// What reaches a queue in batches: through bridges and macvlans, whose own queue or
// that of a device below keeps packets back, and by IPv6.

#include "duel.hpp"
#include "mirror6.hpp"
#include "numbered.hpp"
#include "queues.hpp"

namespace conformance {
namespace {

using Taps = std::map<std::string, size_t>;

// On the device's own network, and more behind a gateway than one batch has.
constexpr size_t n = 5, behind = 65;

Addresses addresses(const std::string &prefix)
{
    return members(prefix, n) + many(0x0a1f0001, behind);
}

constexpr uint32_t sends = 6;

// By sendto() and by a group, then many sends of a group.
void expect_conformant(Mirror &mirror, const Addresses &members, const Taps &taps, bool ordered)
{
    {
        Duel duel(mirror, members);
        for (size_t size : {100, 1000})
            duel.send({.data = pattern(size)},
                      {.fast = members.size(), .frames = taps, .ordered = ordered});
    }
    expect_each_in_order(mirror.group, members, taps, sends);
}

// A queue on some of the devices.
void with_queue(Mirror &mirror, const std::string &qdisc, const std::vector<std::string> &devices,
                const std::function<void(bool ordered)> &what)
{
    SCOPED_TRACE(std::to_string(devices.size()) + " of " + qdisc + ", the last at " +
                 devices.back());
    std::string add, del;
    for (const auto &device : devices) {
        add += "qdisc add dev " + device + " root " + qdisc + "\n";
        del += "qdisc del dev " + device + " root\n";
    }
    mirror.tc(add);
    what(qdisc == "pfifo_fast"); // others let members pass each other
    mirror.tc(del);
}

class Batches : public Mirrored {
protected:
    // Every place that queues can be at. Each one passes all on and drops nothing.
    static void expect_conformant_with_queues(const std::string &above,
                                              const std::vector<std::string> &below,
                                              const Addresses &members, const Taps &taps)
    {
        std::vector<std::string> all = below;
        all.push_back(above);
        struct Place {
            std::string qdisc;
            std::vector<std::string> devices;
        };
        for (const auto &place :
             std::vector<Place>{{"pfifo_fast", below}, {patient, below}, {"pfifo_fast", all}})
            with_queue(mirror(), place.qdisc, place.devices, [&](bool ordered) {
                expect_conformant(mirror(), members, taps, ordered);
                for (const auto &device : place.devices) {
                    const auto q = queue_of(mirror().group, device);
                    EXPECT_EQ(q.sent, (2 + sends) * members.size()) << device;
                    EXPECT_EQ(q.dropped + q.waiting, 0u) << device;
                }
            });
    }
    static std::string network(const std::string &prefix, const std::string &device)
    {
        return "addr add " + prefix + "1/24 dev " + device + "\n" +
               neighbour_entries(prefix, device, first_neighbour, n) +
               "route add 10.31.0.0/16 via " + prefix + "10";
    }
};

// To two ports, as nobody knows who is where: what one of them gets is a clone that is
// no socket's, and is not kept back. Of that, its queue's counters tell.
TEST_F(Batches, Bridge)
{
    mirror().pair("port", "far3");
    mirror().pair("port2", "far4");
    mirror().each([](World &w) { w.taps.erase("far4"); });
    mirror().ip("link add br0 address 02:00:00:00:07:01 type bridge mcast_snooping 0\n"
                "link set port master br0\nlink set port up\n"
                "link set port2 master br0\nlink set port2 up\n"
                "link set br0 up\n" +
                network("10.13.0.", "br0"));
    for (const char *device : {"port", "port2", "br0"})
        mirror().await_up(device);
    const auto members = addresses("10.13.0.");
    expect_conformant_with_queues("br0", {"port", "port2"}, members, {{"far3", members.size()}});
    mirror().ip("link del br0");
    mirror().remove("port", "far3");
    mirror().remove("port2", "far4");
}

TEST_F(Batches, Macvlan)
{
    mirror().ip("link add link near name mv address 02:00:00:00:08:01 type macvlan mode bridge\n"
                "link set mv up\n" +
                network("10.14.0.", "mv"));
    const auto members = addresses("10.14.0.");
    expect_conformant_with_queues("mv", {"near"}, members, {{"far", members.size()}});
    mirror().ip("link del mv");
}

// Where a queue's datagrams pass what refuses some of them, and changes others, before
// they are queued or when they would be: members go by the last bits of their address.
class Policies : public Batches {
protected:
    static constexpr size_t members = 80, kinds = 8, each = members / kinds;

    void SetUp() override
    {
        mirror().ip("route add 10.31.0.0/16 via 10.1.0.254");
        mirror().tc("qdisc add dev near clsact\n"
                    "filter add dev near egress protocol ip prio 1 u32 match u32 5 7 at 16 "
                    "action pedit munge offset 28 u32 set 0 drop\n"
                    "filter add dev near egress protocol ip prio 1 u32 match u32 7 7 at 16 "
                    "action pedit munge offset 28 u32 set 0xdeadbeef");
    }
    void TearDown() override
    {
        if (!HasFailure()) {
            mirror().tc("qdisc del dev near clsact");
            mirror().ip("route del 10.31.0.0/16");
        }
        Batches::TearDown();
    }
    static std::string kind(unsigned k)
    {
        return "ip daddr & 0.0.0.7 == 0.0.0." + std::to_string(k) + " counter ";
    }
    // What sendto() tells, unless the socket asks for more.
    static Outcome outcome(bool ordered, bool asks)
    {
        Outcome o{.fast = members, .frames = {{"far", 4 * each}}, .ordered = ordered};
        for (size_t i = 0; i < members; i++) {
            const size_t k = (i + 1) % kinds;
            if (k == 1 || k == 2)
                o.errors[i] = EPERM;
            if (k == 3 || k == 5)
                (asks ? o.errors : o.hidden)[i] = ENOBUFS;
        }
        return o;
    }
    static void expect_conformant(bool ordered)
    {
        for (bool asks : {false, true}) {
            Duel duel(mirror(), many(0x0a1f0001, members), option(SOL_IP, IP_RECVERR, asks));
            for (size_t size : {100, 1000}) {
                duel.send({.data = pattern(size)}, outcome(ordered, asks));
                size_t changed = 0;
                for (const auto &f : duel.received("far"))
                    changed += f.at(Frame::ip + 8) == 5 || f.at(Frame::ip + 1) == 0x60 ||
                               f.data() != pattern(size);
                EXPECT_EQ(changed, 3 * each);
            }
        }
        // only those that nobody has refused come that far
        const auto q = queue_of(mirror().group, "near");
        EXPECT_EQ(q.sent, sends * 4 * each);
        EXPECT_EQ(q.dropped + q.waiting, 0u);
    }
    // The same in both worlds: so many of each rule's kind.
    static void expect_counted(size_t by_each_rule)
    {
        const auto counted = output_of(*mirror().one.sender, "nft list ruleset");
        EXPECT_EQ(counted, output_of(*mirror().group.sender, "nft list ruleset"));
        const std::string all = "counter packets " + std::to_string(by_each_rule) + " ";
        size_t rules = 0;
        for (size_t at = 0; (at = counted.find(all, at)) != std::string::npos; at++)
            rules++;
        EXPECT_EQ(rules, 6u) << counted;
    }

    static constexpr size_t sends = 4; // of expect_conformant()
};

TEST_F(Policies, OfSomeMembers)
{
    const Rules at_device(
        mirror(), "netdev",
        {{"filter hook egress device near priority 0;",
          kind(3) + "drop\n" + kind(4) + "meta priority set 1:10\n" + kind(4) + "ip ttl set 5"}});
    const Rules at_ip(mirror(), "ip",
                      {{"filter hook output priority 0;", kind(1) + "drop"},
                       {"filter hook postrouting priority 0;",
                        kind(2) + "drop\n" + kind(6) + "ip dscp set cs3"}});
    // the priority of one kind leaves it in the band of the others
    with_queue(mirror(), "pfifo_fast", {"near"}, [](bool ordered) { expect_conformant(ordered); });
    mirror().checksum("near", false);
    with_queue(mirror(), patient, {"near"}, [](bool ordered) { expect_conformant(ordered); });
    mirror().checksum("near", true);

    // and is a class here
    mirror().tc("qdisc add dev near root handle 1: htb default 2\n"
                "class add dev near parent 1: classid 1:1 htb rate 10gbit quantum 60000\n"
                "class add dev near parent 1:1 classid 1:2 htb rate 10gbit quantum 60000\n"
                "class add dev near parent 1:1 classid 1:10 htb rate 10gbit quantum 60000");
    expect_conformant(false);
    mirror().each([](const World &w) {
        const std::string text = output_of(*w.sender, "tc -s class show dev near");
        const size_t at = text.find("class htb 1:10 "), sent = text.find("Sent ", at);
        size_t packets = 0;
        ASSERT_NE(sent, std::string::npos);
        EXPECT_EQ(sscanf(text.c_str() + sent, "Sent %*u bytes %zu pkt", &packets), 1);
        EXPECT_EQ(packets, sends * each);
    });
    mirror().tc("qdisc del dev near root");
    expect_counted(3 * sends * each);
}

// Of one family, and of both in turns.
class Batches6 : public Mirrored6 {};

TEST_F(Batches6, Queues)
{
    Change change(mirror(),
                  "route add fd30::/64 via fd01::254\nroute add 10.30.0.0/16 via 10.1.0.254",
                  "route del fd30::/64\nroute del 10.30.0.0/16");
    for (bool both : {false, true}) {
        SCOPED_TRACE(both ? "both families" : "IPv6");
        Addresses addrs = both ? mixed_members(n) : members6("fd01::", n);
        for (unsigned i = 1; i <= behind; i++)
            addrs.push_back(both && i % 2 ? Address(address("10.30.0." + std::to_string(i), 9))
                                          : Address(address6("fd30::" + std::to_string(i), 9)));
        with_queue(mirror(), both ? patient : "pfifo_fast", {"near"}, [&](bool ordered) {
            expect_conformant(mirror(), addrs, {{"far", addrs.size()}}, ordered);
            const auto q = queue_of(mirror().group, "near");
            EXPECT_GE(q.sent, (2 + sends) * addrs.size());
            EXPECT_EQ(q.dropped + q.waiting, 0u);
        });
    }
}

} // namespace
} // namespace conformance
