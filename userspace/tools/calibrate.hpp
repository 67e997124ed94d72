// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// Measuring what a send costs here, and the model that follows from it.
#pragma once

#include "model.hpp"
#include "network.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace capacity {

// A measured point, with the datagrams that the device counted for it.
struct measurement {
    size_t members = 0;
    double nanoseconds = 0; // of one send to all, the median of the rounds
    uint64_t packets = 0, due = 0;

    operator point() const { return {static_cast<double>(members), nanoseconds}; }
};

struct calibration {
    std::string way;
    size_t bytes = 0;
    model line;
    std::vector<measurement> points;

    // The largest of the line's errors at the points it was made from.
    double worst_error() const;
};

struct bench {
    network where;
    uint16_t port = 9; // discard
    int rounds = 7;

    // Throws if the device did not send them all.
    measurement measure(const std::string &way, size_t members, size_t bytes) const;
    calibration calibrate(const std::string &way, size_t bytes,
                          const std::vector<size_t> &sizes) const;
};

} // namespace capacity
