// SPDX-License-Identifier: GPL-2.0-only
// Control messages, well made and not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fuzz {

// The generation is the group's, for those that are to be right. The numbers are
// one for each message, of which 0 is none; the last says what is wrong with
// the headers, if anything.
std::vector<std::byte> control(std::span<const uint64_t> numbers, uint64_t malformation,
                               uint64_t generation);

} // namespace fuzz
