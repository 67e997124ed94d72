// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// What `groupcast capacity` is asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace capacity {

struct options {
    std::vector<size_t> bytes{100};
    std::vector<double> intervals{33.3e6}; // nanoseconds
    std::vector<double> budgets{0.5};
    std::vector<std::string> ways; // empty: all that there are
    std::vector<size_t> sizes{16, 64, 256, 1024, 4096};
    std::string device, network; // empty: a private one
    uint16_t port = 9;
    int rounds = 7;
    bool check = true, json = false, help = false;
};

// Throws std::invalid_argument.
options parse_options(int argc, char **argv);
const char *usage();

} // namespace capacity
