// SPDX-License-Identifier: GPL-2.0-only
// A few operations on a few sockets. As text it is a line for each: its name, and
// its numbers as far as they are not 0. machine.cpp says what they mean.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fuzz {

enum class Kind : uint8_t {
    Socket,  // slot, kind
    Set,     // slot, option, number of addresses, first, step, length, memory, one that is bad
    Get,     // slot, option, length, memory, size, member_size, first_slot, records
    Flags,   // slot, flags, length, memory
    Option,  // slot, which, value
    Send,    // slot, form, flags, length, destination, memory, 4 control messages, malformation
    Connect, // slot, address
    Bind,    // slot, address
    Receive, // slot, flags
    Shut,    // slot, how
    Close,   // slot
    Fail,    // which allocation or copy of the next operation fails
    Link,    // up or down
    Count,
};

inline constexpr size_t max_numbers = 11;

struct Operation {
    bool operator==(const Operation &) const = default;

    Kind kind = Kind::Socket;
    std::array<uint64_t, max_numbers> numbers{};
};

using Program = std::vector<Operation>;

std::string_view name(Kind kind);
std::string to_text(const Program &program);
// What it does not understand is left out.
Program from_text(std::string_view text);

} // namespace fuzz
