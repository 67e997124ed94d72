// SPDX-License-Identifier: GPL-2.0-only
// What a case of an option, a control message or a flag is.
#pragma once

#include "duel.hpp"

namespace conformance {

struct Case {
    static constexpr size_t small = 100, shared = 1000; // copied into datagrams, and not
    const char *name;
    Duel::Setup setup;
    Control control = {};
    int flags = 0;
    bool fast = true;
    const char *device = "far";
};

void expect_conformant(Mirror &mirror, const Addresses &members, const Case &c);
// Each with near's checksum offload on and off.
void expect_conformant(Mirror &mirror, const Addresses &members, const std::vector<Case> &cases);

} // namespace conformance
