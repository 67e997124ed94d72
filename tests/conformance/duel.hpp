// SPDX-License-Identifier: GPL-2.0-only
// The same message sent both ways, and everything compared that can be seen of it.
#pragma once

#include "counters.hpp"
#include "mirror.hpp"
#include "trace.hpp"

#include <set>

namespace conformance {

// A message.
struct Shot {
    std::string data;
    Control control = {};
    int flags = 0;
    std::vector<size_t> pieces = {}; // where the data are cut into an iovec
    // For whom it is: a range of the members, and who of them is left out.
    size_t first = 0, count = SIZE_MAX;
    std::set<size_t> left_out = {};
    std::vector<std::string> own = {}; // what the members have before the data
    bool is_in_range(size_t member) const { return member >= first && member - first < count; }
    bool is_for(size_t member) const { return is_in_range(member) && !left_out.count(member); }
};

// What must come of it, either way, said by the test, so that it cannot pass
// for want of packets: frames that each device receives, and the errno of each
// member that sendto() has one for. And how many of the group's datagrams must
// take the fast path.
struct Outcome {
    size_t fast = 0;
    std::map<std::string, size_t> frames = {};
    std::map<size_t, int> errors = {};
    std::map<size_t, int> hidden = {}; // errors that a group tells of, but sendto() does not
    bool ordered = true;               // across members; each one's own order always counts
};

class Duel {
public:
    // Sockets are of the members' family, and bound to an address and port 4000,
    // after the setup, unless the address is empty.
    using Setup = std::function<void(const Sender &)>;
    Duel(Mirror &mirror, Addresses members, const Setup &setup = {},
         const std::string &source = "*");
    // Both worlds have counted the same by then.
    ~Duel();
    Duel(const Duel &) = delete;
    Duel &operator=(const Duel &) = delete;

    void send(const Shot &shot, const Outcome &outcome);
    // A message that is good for no member: the group's send itself has the errno
    // that sendto() has for each.
    void refuse(const Shot &shot, int error);
    // Does something to both sockets, each in its namespace.
    void each(const Setup &what);
    const Addresses &members() const { return members_; }
    size_t size() const { return members_.size(); }
    const Sender &group_sender() const { return group_; }
    // What a device received of the group's last send.
    const std::vector<Frame> &received(const std::string &device) const { return last_.at(device); }

    // All members on the fast path, a frame for each of them at the device.
    Outcome all_fast(const std::string &device = "far") const
    {
        return {.fast = size(), .frames = {{device, size()}}};
    }
    Outcome all_true(size_t frames_each = 1, const std::string &device = "far") const
    {
        return {.fast = 0, .frames = {{device, size() * frames_each}}};
    }
    // No datagram leaves: each member's is this error.
    Outcome all_fail(int error) const;

private:
    using Seen = std::map<std::string, std::vector<Frame>>;
    Sender sender(World &world, const Setup &setup, const std::string &source) const;
    std::string member(size_t i, long result) const;
    Seen run(World &world, const Outcome &outcome, const std::function<void()> &send) const;
    void send_to_each(const Shot &shot, const Outcome &outcome) const;
    long transmit_to_group(const Shot &shot) const;
    void send_to_group(const Shot &shot, const Outcome &outcome);
    void expect_same_counters() const;
    void expect_new_idents(const Seen &seen);
    size_t count_if(const std::function<bool(size_t)> &what) const;

    Mirror &mirror_;
    Addresses members_;
    Sender one_, group_;
    Counters before_one_, before_group_;
    Seen last_;
    std::map<std::string, std::set<uint16_t>> idents_;
};

// Sets an option that must be taken.
Duel::Setup option(int level, int name, int value);
Duel::Setup raw_option(int level, int name, const void *value, size_t len);
Duel::Setup to_device(const std::string &name);
// The socket becomes a user's.
Duel::Setup owner(uid_t user);
Duel::Setup all_of(std::vector<Duel::Setup> setups);

} // namespace conformance
