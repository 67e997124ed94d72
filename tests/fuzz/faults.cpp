// SPDX-License-Identifier: GPL-2.0-only
#include "faults.hpp"

#include <fstream>

namespace fuzz {

QuietFaults::QuietFaults()
{
    const std::string debug = "/sys/kernel/debug/";
    const std::pair<std::string, std::string> wanted[] = {
        {debug + "failslab/ignore-gfp-wait", "N"},
        {debug + "failslab/verbose", "0"},
        {debug + "fail_usercopy/verbose", "0"},
    };
    for (const auto &[path, value] : wanted) {
        std::string text;
        if (!(std::ifstream(path) >> text))
            continue; // a kernel without that
        before_.emplace_back(path, text);
        std::ofstream(path) << value;
    }
}

QuietFaults::~QuietFaults()
{
    for (const auto &[path, text] : before_)
        std::ofstream(path) << text;
}

} // namespace fuzz
