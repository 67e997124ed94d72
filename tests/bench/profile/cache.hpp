// SPDX-License-Identifier: GPL-2.0-only
// A model of caches: set associative, 64-byte lines, least recently used goes
// first, writes allocate. A first level each for instructions and data, and a
// second that is asked for what they do not have. No prefetching, no write-back
// traffic, no other CPU: it says which lines are touched again in time, not how
// long anything takes.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace cache {

constexpr unsigned line_shift = 6;

class Level {
public:
    Level(uint64_t bytes, unsigned ways)
        : ways_(ways), sets_(ways ? (bytes >> line_shift) / ways : 0)
    {
        if (!std::has_single_bit(sets_) || sets_ * ways << line_shift != bytes)
            throw std::invalid_argument("a cache has a power of two of sets");
        tags_.assign(sets_ * ways, none);
    }

    // Whether the line was there; now it is, as the most recently used.
    bool access(uint64_t line)
    {
        auto *set = &tags_[(line & (sets_ - 1)) * ways_];
        auto *found = std::find(set, set + ways_, line);
        const bool hit = found != set + ways_;
        std::copy_backward(set, hit ? found : found - 1, hit ? found + 1 : found);
        *set = line;
        return hit;
    }

private:
    static constexpr uint64_t none = ~0ULL;
    uint64_t ways_, sets_;
    std::vector<uint64_t> tags_; // a set after the other, each most recent first
};

// From "BYTES:WAYS".
inline Level level(const std::string &text)
{
    size_t colon = text.find(':');
    if (colon == std::string::npos)
        throw std::invalid_argument("a cache is BYTES:WAYS, not " + text);
    return {std::stoull(text.substr(0, colon)),
            static_cast<unsigned>(std::stoul(text.substr(colon + 1)))};
}

} // namespace cache
