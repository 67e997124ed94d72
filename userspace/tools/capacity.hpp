// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// `groupcast capacity`: what it found, and how that is shown.
#pragma once

#include "calibrate.hpp"

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace capacity {

// How many members a way of sending reaches within its part of an interval.
struct answer {
    std::string way;
    size_t bytes = 0;
    double interval = 0, budget = 0; // nanoseconds, a part of it
    uint64_t fit = 0;                // by the model
    uint64_t members = 0;            // fit, or fewer: the way's or the network's limit
    double predicted = 0;            // what those cost, in nanoseconds
    std::optional<measurement> measured;
    // A server with as many members as the first way fits, whose other work for
    // them takes the rest of the interval, has room for so many if it sends
    // this way.
    double instead = 0, factor = 0;

    double error() const { return predicted / measured->nanoseconds - 1; }
};

struct findings {
    std::string device;
    std::vector<calibration> calibrations;
    std::vector<answer> answers;
    std::vector<std::pair<std::string, std::string>> unavailable; // a way, and why

    double worst_error() const; // of the answers that were measured
};

void print_table(std::ostream &out, const findings &found);
void print_json(std::ostream &out, const findings &found);

int capacity_command(int argc, char **argv);

} // namespace capacity
