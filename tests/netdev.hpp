// SPDX-License-Identifier: GPL-2.0-only
// What the kernel says of a network device.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace netdev {

// Packets that have left by the device; none if there is no such device. In /proc,
// since /sys can be that of another namespace.
inline std::optional<uint64_t> tx_packets(const std::string &device)
{
    std::ifstream in("/proc/thread-self/net/dev");
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string name;
        words >> name;
        if (name != device + ":")
            continue;
        // behind eight values of what it has received, the bytes, the packets
        uint64_t value = 0;
        for (int i = 0; i < 10; i++)
            words >> value;
        return value;
    }
    return {};
}

} // namespace netdev
