// SPDX-License-Identifier: GPL-2.0-only
// Which places of the instrumented code a thread came to, by kcov.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fuzz {

// Addresses, as many as a module of a few thousand basic blocks has.
class PlaceSet {
public:
    // Is it a new one?
    bool add(uint64_t place);
    bool has(uint64_t place) const { return places_[slot(place)] == place; }
    size_t size() const { return size_; }

private:
    size_t slot(uint64_t place) const;

    std::vector<uint64_t> places_ = std::vector<uint64_t>(1 << 16);
    size_t size_ = 0;
};

class Coverage {
public:
    Coverage(); // as root
    ~Coverage();
    Coverage(const Coverage &) = delete;
    Coverage &operator=(const Coverage &) = delete;

    void start(); // of the calling thread, once
    void clear() { __atomic_store_n(area_, 0, __ATOMIC_RELAXED); }
    // Since clear(); in order, with repetitions.
    std::span<const uint64_t> places() const;

private:
    static constexpr size_t max_places = 1 << 15;

    int fd_;
    uint64_t *area_;
};

} // namespace fuzz
