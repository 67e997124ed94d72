// SPDX-License-Identifier: GPL-2.0-only
// Where the torture takes place: a namespace with devices that come and go, those
// who receive, and the addresses that a group can have.
#pragma once

#include "census.hpp"
#include "queued.hpp"

#include "../selftests/messages.hpp"

#include <functional>
#include <random>
#include <thread>

namespace torture {

using Random = std::mt19937;

// What a private part begins with: whose it is.
constexpr std::string_view private_mark = "PRIVATE:";
constexpr char begun_mark = 'm'; // of a datagram that more may be added to
constexpr size_t private_length = private_mark.size() + sizeof(sockaddr_in6);

class World {
public:
    explicit World(Census &census);
    ~World();
    // Some addresses, each once; IPv4 only, or both families.
    std::vector<std::string> pick(Random &random, int family) const;
    // One of them, of the family alone.
    std::string one(Random &random, int family) const;
    // The device of the namespace as it is meant to be, and what is on it; false: none
    // of it. 0, or the first -errno.
    long device(const Rtnl &rtnl, bool there) const;
    long addresses(const Rtnl &rtnl, bool there) const;
    long routes(const Rtnl &rtnl, bool there) const;
    long neighbours(const Rtnl &rtnl, bool there) const;
    long on_device(const Rtnl &rtnl) const; // all three are there
    // Those whose datagrams pass a queue.
    std::vector<QueuedDevice> &queued() { return queued_; }
    // For as long as one has it no other changes any of these.
    std::unique_lock<std::mutex> alone() { return std::unique_lock(changing_); }
    const selftest::NetNs &ns() const { return ns_; }

private:
    void receive(const std::atomic<bool> &done);
    void check(const Endpoint &who, const std::string &data);

    Census &census_;
    selftest::NetNs ns_, peer_;
    std::vector<Endpoint> receivers_;
    std::vector<QueuedDevice> queued_;
    std::vector<std::string> universe_[2]; // IPv4, and both
    std::mutex changing_;
    std::atomic<bool> done_ = false;
    std::thread receiver_;
};

} // namespace torture
