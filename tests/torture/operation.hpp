// SPDX-License-Identifier: GPL-2.0-only
// What the threads do to the shared sockets, and which errno it may have.
#pragma once

#include "victim.hpp"
#include "world.hpp"

#include <liburing.h>

namespace torture {

// One operation's surroundings: a thread's own, but for the socket.
struct Act {
    Random &random;
    World &world;
    Census &census;
    Victims &victims;
    io_uring &ring;
    Victim *victim = nullptr;

    int fd() const { return victim->fd(); }
    uint32_t pick(uint32_t n) { return static_cast<uint32_t>(random() % n); }
    std::string some() { return join(world.pick(random, victim->family())); }
    std::string one() { return world.one(random, victim->family()); }
};

struct Operation {
    int weight;
    void (*act)(Act &);
};

std::vector<Operation> changes();   // of the group, and reading it
std::vector<Operation> sends();     // in every form
std::vector<Operation> upheavals(); // of the socket itself

} // namespace torture
