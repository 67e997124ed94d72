// SPDX-License-Identifier: GPL-2.0-only
// How what fails on purpose fails.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace fuzz {

// In silence, and also where the kernel could wait for memory; as before when
// this ends. As root.
class QuietFaults {
public:
    QuietFaults();
    ~QuietFaults();
    QuietFaults(const QuietFaults &) = delete;
    QuietFaults &operator=(const QuietFaults &) = delete;

private:
    std::vector<std::pair<std::string, std::string>> before_; // files, with what was in them
};

} // namespace fuzz
