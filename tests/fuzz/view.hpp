// SPDX-License-Identifier: GPL-2.0-only
// What a program can see of a group, and what may become of that.
#pragma once

#include <linux/udp_group.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fuzz {

struct View {
    std::vector<std::byte> members; // packed, in the order of their slots
    udp_grpstat totals{};
    uint32_t flags = 0;
};

// Of a socket that can have a group.
View look_at(int fd);

// Each returns what should not be so, or nothing.
std::string compare_members(const View &before, const View &after);
std::string compare_totals(const View &before, const View &after); // nothing was sent
std::string check_totals(const View &before, const View &after);   // something may have been

} // namespace fuzz
