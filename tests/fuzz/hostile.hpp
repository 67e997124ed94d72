// SPDX-License-Identifier: GPL-2.0-only
// Addresses, lengths and memory that a program may give and should not.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fuzz {

// An address by number. Those below usable_addresses are ones that a datagram can
// be sent to in the worker's namespace, or would be on a better day.
constexpr size_t usable_addresses = 24;
std::vector<std::byte> address(uint64_t number);
// One that no group takes.
std::vector<std::byte> bad_address(uint64_t number);

// Mostly the true one.
size_t length(uint64_t number, size_t truth);
// Of the data of a send.
size_t data_length(uint64_t number);

// Where an argument is, and what the kernel can do with all of it.
struct Placed {
    void *at;
    bool can_read;
    bool can_write;
};

class Memory {
public:
    Memory();
    ~Memory();
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    // Room for n bytes, of which the first ones are given. The number chooses the
    // kind of memory, mostly a good one. What was placed before stays where it is
    // until clear().
    Placed place(uint64_t number, std::span<const std::byte> bytes, size_t n);
    void clear() { used_ = 0; }

private:
    std::byte *take(size_t n);

    static constexpr size_t size = 16 << 20, guard = 1 << 16;
    std::byte *base_; // and behind it what cannot be accessed
    std::byte *read_only_;
    size_t used_ = 0;
};

} // namespace fuzz
