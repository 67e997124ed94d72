// SPDX-License-Identifier: GPL-2.0-only
// Two worlds that are alike to the MAC address: what sendto() does in the one is
// what a group does in the other.
#pragma once

#include "address.hpp"
#include "tap.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>

namespace conformance {

using namespace selftest;

// The calling thread is in a namespace for the time that this exists.
class In {
public:
    explicit In(const NetNs &ns) : before_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC))
    {
        ns.enter();
    }
    ~In() { setns(before_.get(), CLONE_NEWNET); }
    In(const In &) = delete;
    In &operator=(const In &) = delete;

private:
    Fd before_;
};

// Keeps the calling thread on a processor: what a virtual device receives waits
// on the sender's, so that a sender who moves changes the order.
void stay_on(unsigned cpu);

// Runs a program in a namespace with something to read; it must end with 0.
void feed(const NetNs &ns, const std::string &command, const std::string &input);
std::string output_of(const NetNs &ns, const std::string &command);

// A sender and its peer, which only looks on: near and far are the ends of a
// device with an MTU of 1,500, near2 and far2 of one with 9,000.
struct World {
    World();
    std::unique_ptr<NetNs> sender, peer;
    std::map<std::string, Tap> taps;
};

// How many failures the test has had.
int failures();

class Mirror {
public:
    Mirror();
    World one;   // sends with sendto()
    World group; // sends with a group

    void each(const std::function<void(World &)> &what);
    // Commands for ip, tc and nft in the senders' namespaces.
    void ip(const std::string &lines);
    void tc(const std::string &lines);
    void nft(const std::string &lines);
    void peer_ip(const std::string &lines);
    void sysctl(const std::string &name, const std::string &value);
    // Switches an offload of a sender's device (ETHTOOL_STXCSUM, ETHTOOL_SSG).
    void offload(const std::string &device, uint32_t what, bool on);
    void checksum(const std::string &device, bool on);
    void scatter_gather(const std::string &device, bool on);
    void await_up(const std::string &device) { await(device, true); }
    void await_down(const std::string &device) { await(device, false); }
    // Captures one more device, of the peer's or of the sender's.
    void tap(const std::string &device, bool at_peer = true);
    // One more pair of devices, and a capture of what the peer's end receives.
    void pair(const std::string &device, const std::string &peer, const std::string &options = {});
    void remove(const std::string &device, const std::string &peer);
    // Somebody listens there in the senders' namespaces: no ICMP comes back.
    void listen(uint16_t port);
    // True once, to whoever prepares something that stays.
    bool first(const std::string &what) { return prepared_.insert(what).second; }

private:
    void await(const std::string &device, bool up);
    std::vector<Fd> listeners_;
    std::set<std::string> prepared_;
};

// Members on near's network, with a neighbour entry and a MAC address each.
constexpr unsigned first_neighbour = 10, neighbours = 22;
std::vector<sockaddr_in> members(const std::string &prefix, size_t n,
                                 unsigned first = first_neighbour);
std::vector<sockaddr_in> operator+(std::vector<sockaddr_in> a, const std::vector<sockaddr_in> &b);

// Lines for ip: entries for the neighbours of a prefix on a device.
std::string neighbour_entries(const std::string &prefix, const std::string &device, unsigned first,
                              unsigned n);

// Tests share a mirror, because to make one takes seconds, and leave it as they
// found it. One that has failed may not have, so the next gets another.
class Mirrored : public testing::Test {
protected:
    static Mirror &mirror();
    void TearDown() override;
};

// Changes something in both worlds, and changes it back.
class Change {
public:
    Change(Mirror &mirror, const std::string &lines, std::string back)
        : mirror_(mirror), back_(std::move(back))
    {
        mirror_.ip(lines);
    }
    ~Change() { mirror_.ip(back_); }
    Change(const Change &) = delete;
    Change &operator=(const Change &) = delete;

private:
    Mirror &mirror_;
    std::string back_;
};

// Chains of nft's in both worlds, each a hook and its rules, for as long as this
// exists. To run nft takes long: tests put together what they can.
class Rules {
public:
    using Chain = std::pair<std::string, std::string>;
    Rules(Mirror &mirror, const std::string &family, const std::vector<Chain> &chains);
    ~Rules();
    Rules(const Rules &) = delete;
    Rules &operator=(const Rules &) = delete;

private:
    Mirror &mirror_;
};

} // namespace conformance
