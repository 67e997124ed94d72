// SPDX-License-Identifier: GPL-2.0-only
// Programs, one after the other, led by what they come to.
#pragma once

#include <cstdint>
#include <string>

namespace fuzz {

struct Plan {
    uint64_t seed = 1;
    unsigned seconds = 45;
    std::string from; // directories: programs to begin with
    std::string to;   // where those are kept that are new
};

struct Report {
    uint64_t programs;
    uint64_t operations;
    uint64_t places;  // that any program came to
    uint64_t corpus;  // programs that are kept
    uint64_t mutated; // of these, such as came of another
    double seconds;
    std::string problem; // what should not have been, with the program
};

// As root. The programs run in a process of nobody's, which may die of them.
Report hunt(const Plan &plan);

// Runs one file's program, so many times, and says what should not have been.
std::string replay(const std::string &path, unsigned times);

} // namespace fuzz
