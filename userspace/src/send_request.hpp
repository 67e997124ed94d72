// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// What a single send is asked for, and what that means for a group.
#pragma once

#include "member_table.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace groupcast::internal {

// A message: its data, the control messages of the group, and the others.
struct send_request {
    // Reads a message to a socket of this family; or -EINVAL, -EAFNOSUPPORT,
    // -EMSGSIZE. The message must live as long as this.
    int read(const msghdr &msg, sa_family_t family);

    std::span<const iovec> data;
    size_t length = 0;                  // of all data
    std::span<const std::byte> control; // what is not the group's

    std::vector<address_key> skip;
    udp_grp_range range{};
    std::optional<udp_grp_private> own;
    std::optional<uint64_t> spread; // nanoseconds

private:
    int read_control(std::span<const std::byte> from, sa_family_t family);
    int read_one(const cmsghdr &cmsg, std::span<const std::byte> value, sa_family_t family);

    unsigned has_ = 0;            // a bit for each type that has been there
    std::vector<std::byte> rest_; // where control is, if something was taken out
};

// A request, as it is for one version of a group.
struct send_plan {
    // 0; or -ESTALE, -EINVAL, -EMSGSIZE.
    int make(const send_request &request, const version &group);

    // When the datagram of a slot departs.
    uint64_t departure(size_t slot) const
    {
        return depart + spread * (slot - first) / (end - first);
    }

    size_t first = 0; // slots, up to end
    size_t end = 0;
    size_t members = 0;         // in these slots
    size_t length = 0;          // of each datagram
    size_t own_length = 0;      // of what is the member's own in it
    std::vector<uint32_t> skip; // slots, in order; to be filled before make()
    uint64_t spread = 0;        // nanoseconds
    uint64_t depart = 0;        // of the first, in the clock of SO_TXTIME
};

} // namespace groupcast::internal
