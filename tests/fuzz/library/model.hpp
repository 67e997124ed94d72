// SPDX-License-Identifier: GPL-2.0-only
// A group as the documentation describes it, in the simplest way there is.
#pragma once

#include "../../../userspace/src/address.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace library_fuzz {

class Model {
public:
    using Address = udp_group_addr;

    int set(std::span<const Address> addrs)
    {
        Model next;
        if (int err = next.join(addrs); err != 0)
            return err;
        if (!addrs.empty() || members() != 0)
            generation_++;
        slots_ = next.slots_;
        return 0;
    }
    int add(std::span<const Address> addrs)
    {
        auto before = slots_;
        if (int err = join(addrs); err != 0) {
            slots_ = before;
            return err;
        }
        generation_++;
        return 0;
    }
    int del(std::span<const Address> addrs)
    {
        if (addrs.size() > members())
            return -EADDRNOTAVAIL;
        auto before = slots_;
        for (const auto &addr : addrs) {
            auto *slot = find(addr);
            if (slot == nullptr) {
                slots_ = before;
                return groupcast::internal::has_port(addr) ? -EADDRNOTAVAIL : -EINVAL;
            }
            slot->reset();
        }
        while (!slots_.empty() && !slots_.back())
            slots_.pop_back();
        generation_++;
        return 0;
    }
    size_t members() const
    {
        size_t n = 0;
        for (const auto &slot : slots_)
            n += slot ? 1 : 0;
        return n;
    }
    const std::vector<std::optional<Address>> &slots() const { return slots_; }
    uint64_t generation() const { return generation_; }

private:
    int join(std::span<const Address> addrs)
    {
        for (const auto &addr : addrs) {
            if (!groupcast::internal::has_port(addr))
                return -EINVAL;
            if (find(addr) != nullptr)
                return -EADDRINUSE;
            size_t slot = 0;
            while (slot < slots_.size() && slots_[slot])
                slot++;
            if (slot == slots_.size())
                slots_.emplace_back();
            slots_[slot] = addr;
        }
        return 0;
    }
    std::optional<Address> *find(const Address &addr)
    {
        using groupcast::internal::address_key;
        for (auto &slot : slots_)
            if (slot && address_key(*slot) == address_key(addr))
                return &slot;
        return nullptr;
    }

    std::vector<std::optional<Address>> slots_;
    uint64_t generation_ = 0;
};

} // namespace library_fuzz
