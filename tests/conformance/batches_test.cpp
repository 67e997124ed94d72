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
