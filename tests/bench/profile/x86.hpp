// SPDX-License-Identifier: GPL-2.0-only
// What the plugin wants to know of an x86-64 instruction's bytes.
#pragma once

#include "markers.hpp"

#include <algorithm>
#include <optional>
#include <span>

namespace x86 {

using Bytes = std::span<const uint8_t>;

// Whether the instruction is atomic towards other processors, which is what
// makes it dear: it has the LOCK prefix, or is an XCHG with memory, which the
// processor locks by itself. Prefixes come in any order, REX after them; then
// the opcode, 86 or 87 for XCHG, and ModRM, whose two upper bits are 11 if both
// operands are registers. An F0 behind the opcode is no prefix. VEX and EVEX
// instructions begin with an opcode of their own and cannot be locked.
constexpr bool locks(Bytes insn)
{
    auto is_prefix = [](uint8_t b) {
        constexpr std::array<uint8_t, 11> legacy{0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                                 0x66, 0x67, 0xf0, 0xf2, 0xf3};
        return std::find(legacy.begin(), legacy.end(), b) != legacy.end();
    };
    size_t i = 0;
    for (; i < insn.size() && is_prefix(insn[i]); i++)
        if (insn[i] == 0xf0)
            return true;
    if (i < insn.size() && (insn[i] & 0xf0) == 0x40)
        i++;
    return i + 1 < insn.size() && (insn[i] & 0xfe) == 0x86 && insn[i + 1] < 0xc0;
}

struct Marker {
    markers::Kind kind;
    unsigned window;
};

constexpr std::optional<Marker> marker(Bytes insn)
{
    constexpr size_t at = markers::opcode.size();
    if (insn.size() != at + 4 ||
        !std::equal(markers::opcode.begin(), markers::opcode.end(), insn.begin()))
        return {};
    uint32_t displacement = 0;
    for (size_t i = 0; i < 4; i++)
        displacement |= static_cast<uint32_t>(insn[at + i]) << (8 * i);
    auto kind = static_cast<markers::Kind>(displacement >> 8 & 0xff);
    unsigned window = displacement & 0xff;
    if (kind < markers::Kind::warm || kind > markers::Kind::end || window >= markers::windows ||
        displacement != markers::displacement(kind, window))
        return {};
    return Marker{kind, window};
}

namespace test {

template <typename... Byte> constexpr bool locks_bytes(Byte... b)
{
    const std::array<uint8_t, sizeof...(b)> bytes{static_cast<uint8_t>(b)...};
    return locks(bytes);
}

static_assert(locks_bytes(0xf0, 0xff, 0x00), "lock incl (%rax)");
static_assert(locks_bytes(0xf0, 0x48, 0x0f, 0xb1, 0x17), "lock cmpxchg %rdx,(%rdi)");
static_assert(locks_bytes(0x66, 0xf0, 0xff, 0x00), "lock incw (%rax)");
static_assert(locks_bytes(0xf0, 0x83, 0x44, 0x24, 0xfc, 0x00), "lock addl $0,-4(%rsp)");
static_assert(locks_bytes(0x87, 0x07), "xchg %eax,(%rdi)");
static_assert(locks_bytes(0x48, 0x87, 0x07), "xchg %rax,(%rdi)");
static_assert(locks_bytes(0x86, 0x44, 0x24, 0x08), "xchg %al,8(%rsp)");
static_assert(locks_bytes(0x65, 0x48, 0x87, 0x05, 0, 0, 0, 0), "xchg %rax,%gs:0(%rip)");
static_assert(!locks_bytes(0x48, 0x87, 0xc3), "xchg %rax,%rbx");
static_assert(!locks_bytes(0x3e, 0xff, 0x00), "incl, its LOCK replaced as Linux does on one CPU");
static_assert(!locks_bytes(0xb8, 0xf0, 0, 0, 0), "mov $0xf0,%eax");
static_assert(!locks_bytes(0x89, 0x87, 0xf0, 0, 0, 0), "mov %eax,0xf0(%rdi)");
static_assert(!locks_bytes(0xc5, 0xf0, 0x57, 0xc0), "vxorps %xmm0,%xmm1,%xmm0");
static_assert(!locks_bytes(0x90), "nop, which is xchg %eax,%eax");
static_assert(!locks_bytes(0x0f, 0x87, 0, 0, 0, 0), "ja");

} // namespace test

} // namespace x86
