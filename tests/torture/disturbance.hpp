// SPDX-License-Identifier: GPL-2.0-only
// What happens to the world while others send: each kind at its own pace.
#pragma once

#include "world.hpp"

namespace torture {

struct Disturbance {
    const char *name;
    // The i-th time.
    void (*strike)(World &world, Census &census, unsigned i);
    // What the kernel must have done each time, as the census calls it.
    std::vector<const char *> effects;
};

// For the end of the last ones nobody waits.
constexpr unsigned namespaces_at_once = 4;

std::vector<Disturbance> disturbances();

} // namespace torture
