// SPDX-License-Identifier: GPL-2.0-only
// Marks in a guest program that the plugin sees: no-ops that say in bytes which
// nobody else uses where a window of measurement begins and ends. The plugin
// reads no registers, so a window's number is in the instruction itself.
#pragma once

#include <array>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace markers {

// nopl disp32(%rax,%rax,1), eight bytes, with the displacement 0x6763KKII: "gc",
// a kind, a window.
constexpr std::array<uint8_t, 4> opcode{0x0f, 0x1f, 0x84, 0x00};
constexpr uint32_t magic = 0x6763'0000;
constexpr unsigned windows = 128;

enum class Kind : uint8_t { warm = 1, begin = 2, end = 3 };

constexpr uint32_t displacement(Kind kind, unsigned window)
{
    return magic | static_cast<uint32_t>(kind) << 8 | window;
}

// The mark itself; what stands before it in the program is executed before it.
template <Kind kind, unsigned window = 0> [[gnu::always_inline]] inline void mark()
{
    static_assert(window < windows);
    asm volatile("nopl %c0(%%rax,%%rax,1)" ::"i"(displacement(kind, window)) : "memory");
}

// From here on the caches are modelled, if they are at all; nothing is counted.
inline void warm() { mark<Kind::warm>(); }

// Runs the body as a window whose number is known only at run time. The call
// is a few instructions around the body.
template <typename Body> void measure(unsigned window, Body &&body)
{
    auto one = []<unsigned W>(std::integral_constant<unsigned, W>, Body &b) {
        mark<Kind::begin, W>();
        b();
        mark<Kind::end, W>();
    };
    bool found = [&]<unsigned... W>(std::integer_sequence<unsigned, W...>)
    {
        return ((W == window && (one(std::integral_constant<unsigned, W>{}, body), true)) || ...);
    }
    (std::make_integer_sequence<unsigned, windows>{});
    if (!found)
        throw std::out_of_range("no such window");
}

} // namespace markers
