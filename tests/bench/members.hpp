// SPDX-License-Identifier: GPL-2.0-only
// The members of a measurement: addresses one after the other.
#pragma once

#include <arpa/inet.h>

#include <stdexcept>
#include <string>
#include <vector>

// Whatever stands behind DEVICE has its neighbour entries from here on.
constexpr const char *first_member = "10.64.0.2";

inline std::vector<sockaddr_in> addresses(const std::string &first, size_t offset, size_t n)
{
    in_addr base{};
    if (inet_pton(AF_INET, first.c_str(), &base) != 1)
        throw std::invalid_argument("not an address: " + first);
    std::vector<sockaddr_in> all(n);
    for (size_t i = 0; i < n; i++) {
        all[i].sin_family = AF_INET;
        all[i].sin_port = htons(9);
        all[i].sin_addr.s_addr = htonl(ntohl(base.s_addr) + static_cast<uint32_t>(offset + i));
    }
    return all;
}
