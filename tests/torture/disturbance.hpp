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
    // What is still to happen after the last time.
    void (*end)(World &world, Census &census) = [](World &, Census &) {};
};

std::vector<Disturbance> disturbances();

} // namespace torture
