// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// Which slots are free.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace groupcast::internal {

// A set of the numbers below 65,536 that knows its lowest member: a tree of
// bits, 64 to a node, in which a bit says whether there is any below it. It
// needs no memory but its own, so that a change of a group cannot fail halfway.
class slot_set {
public:
    slot_set() // all of them
    {
        slots_.fill(~uint64_t{0});
        words_.fill(~uint64_t{0});
        top_ = (uint64_t{1} << words_.size()) - 1;
    }

    uint32_t lowest() const // there is one
    {
        auto group = static_cast<uint32_t>(std::countr_zero(top_));
        uint32_t word = group * fanout + static_cast<uint32_t>(std::countr_zero(words_[group]));
        return word * fanout + static_cast<uint32_t>(std::countr_zero(slots_[word]));
    }

    void insert(uint32_t slot)
    {
        slots_[slot / fanout] |= bit(slot);
        words_[slot / fanout / fanout] |= bit(slot / fanout);
        top_ |= bit(slot / fanout / fanout);
    }

    void erase(uint32_t slot)
    {
        uint32_t word = slot / fanout;
        uint32_t group = word / fanout;
        slots_[word] &= ~bit(slot);
        if (slots_[word] == 0)
            words_[group] &= ~bit(word);
        if (words_[group] == 0)
            top_ &= ~bit(group);
    }

private:
    static constexpr uint32_t fanout = 64;
    static uint64_t bit(uint32_t n) { return uint64_t{1} << (n % fanout); }

    std::array<uint64_t, 1024> slots_;
    std::array<uint64_t, 16> words_;
    uint64_t top_;
};

} // namespace groupcast::internal
