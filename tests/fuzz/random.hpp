// SPDX-License-Identifier: GPL-2.0-only
// Numbers that follow from a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace fuzz {

class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next()
    {
        // splitmix64
        uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    size_t below(size_t n) { return static_cast<size_t>(next() % n); }
    bool one_in(size_t n) { return below(n) == 0; }

private:
    uint64_t state_;
};

// Takes a number apart into choices, so that any number means something.
class Choice {
public:
    explicit Choice(uint64_t number) : rest_(number) {}
    size_t of(size_t n)
    {
        uint64_t taken = rest_ % n;
        rest_ /= n;
        return static_cast<size_t>(taken);
    }
    template <typename List> auto &from(List &list) { return list[of(std::size(list))]; }
    uint64_t rest() const { return rest_; }

private:
    uint64_t rest_;
};

} // namespace fuzz
