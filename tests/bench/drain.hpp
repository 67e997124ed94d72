// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include "device.hpp"
#include "figures.hpp"

// Waits until the device has transmitted so many, or no more come.
inline void drain(const Device &device, uint64_t target)
{
    constexpr uint64_t patience = 1'000'000'000;
    constexpr timespec pause{.tv_sec = 0, .tv_nsec = 20'000};
    uint64_t last = device.tx_packets(), since = now();
    while (last < target && now() - since < patience) {
        nanosleep(&pause, nullptr);
        uint64_t n = device.tx_packets();
        if (n != last) {
            last = n;
            since = now();
        }
    }
}
