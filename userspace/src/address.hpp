// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// Addresses of either family, as a program gives them.
#pragma once

#include "groupcast/groupcast.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace groupcast::internal {

socklen_t address_length(const udp_group_addr &addr);

// Port 0 is no destination.
bool has_port(const udp_group_addr &addr);

// What makes two addresses the same: an IPv4 address is its mapped one.
struct address_key {
    explicit address_key(const udp_group_addr &addr);
    bool operator==(const address_key &) const = default;

    void forget_scope() { words[4] = 0; }
    bool has_scope() const { return words[4] != 0; }

    std::array<uint32_t, 6> words{}; // address, scope, port
};

// Nobody who does not know the process's random numbers can choose addresses
// that meet in one bucket.
struct address_hash {
    size_t operator()(const address_key &key) const;
};

// Reads packed addresses for a socket of this family; or
// -EINVAL: one is cut short,
// -EAFNOSUPPORT: the socket does not send to addresses of its family.
// The port of an address is looked at later, as in the kernel, when it is its turn.
int read_addresses(std::span<const std::byte> packed, sa_family_t family,
                   std::vector<udp_group_addr> &out);

} // namespace groupcast::internal
