// SPDX-License-Identifier: GPL-2.0-only
// A device that enters a VRF, moves to another and leaves it between sends, while
// sockets stay bound to it, to the VRF, or to nothing.

#include "duel.hpp"

namespace conformance {
namespace {

constexpr size_t n = 4;

class Vrf : public Mirrored {
protected:
    void SetUp() override
    {
        mirror().pair("port", "far3");
        mirror().ip("link add vrf7 type vrf table 1007\nlink set vrf7 up\n"
                    "link add vrf8 type vrf table 1008\nlink set vrf8 up\n"
                    "link set port up\naddr add 10.18.0.1/24 dev port");
        mirror().tc("qdisc replace dev port root pfifo_fast");
        settle("", "10.18.0.250");
    }
    void TearDown() override
    {
        if (!HasFailure()) {
            mirror().ip("link del vrf7\nlink del vrf8");
            mirror().remove("port", "far3");
        }
        Mirrored::TearDown();
    }
    // The device goes down and up on its way, and forgets whom it knew. Each table has
    // a gateway of its own, which frames tell by its MAC address.
    static void settle(const std::string &table, const std::string &gateway)
    {
        mirror().await_up("port");
        mirror().ip(neighbour_entries("10.18.0.", "port", first_neighbour, n) +
                    neighbour_entries("10.18.0.", "port", 250, 3) + "route add 10.19.0.0/24 via " +
                    gateway + " " + table);
    }
    static void enter(const std::string &vrf, const std::string &gateway)
    {
        mirror().ip("link set port master " + vrf);
        settle("vrf " + vrf, gateway);
    }
    static void leave()
    {
        mirror().ip("link set port nomaster");
        settle("", "10.18.0.250");
    }
    static Addresses addresses() { return members("10.18.0.", n) + members("10.19.0.", n); }
    static void expect(Duel &duel, bool reaches)
    {
        const Outcome o = reaches ? duel.all_fast("far3") : duel.all_fail(ENETUNREACH);
        for (size_t size : {100, 1000, 100, 1472})
            duel.send({.data = pattern(size)}, o);
    }
};

TEST_F(Vrf, TheDeviceThatASocketIsBoundTo)
{
    Duel duel(mirror(), addresses(), to_device("port"));
    expect(duel, true);
    enter("vrf7", "10.18.0.251");
    expect(duel, true);
    enter("vrf8", "10.18.0.252");
    expect(duel, true);
    leave();
    expect(duel, true);
}

TEST_F(Vrf, ASocketThatIsBoundToNothing)
{
    Duel duel(mirror(), addresses());
    expect(duel, true);
    enter("vrf7", "10.18.0.251");
    expect(duel, false);
    leave();
    expect(duel, true);
}

TEST_F(Vrf, ASocketThatIsBoundToIt)
{
    enter("vrf7", "10.18.0.251");
    Duel duel(mirror(), addresses(), to_device("vrf7"));
    expect(duel, true);
    enter("vrf8", "10.18.0.252");
    expect(duel, false);
    enter("vrf7", "10.18.0.251");
    expect(duel, true);
}

} // namespace
} // namespace conformance
