// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// A group that several threads change, send to and look at, with what became of
// it all.
#pragma once

#include "member_table.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace groupcast::internal {

// A version of the group that does not change meanwhile.
class held_version {
public:
    held_version(std::mutex &lock, version_ptr group) : lock_(lock), group_(std::move(group)) {}
    held_version(const held_version &) = delete;
    held_version &operator=(const held_version &) = delete;
    ~held_version();

    const version &operator*() const { return *group_; }
    const version *operator->() const { return group_.get(); }

private:
    std::mutex &lock_;
    version_ptr group_;
};

class shared_group {
public:
    bool has_members() const;

    // Changes, each of which makes a new generation unless it fails. replace()
    // leaves the old table to the caller.
    void replace(member_table &next);
    int add(const member_list &joining);
    int remove(std::span<const udp_group_addr> leaving);

    // The version in use; with the slots of those in it who are to be left out,
    // or with the totals.
    held_version hold() const;
    held_version hold(std::span<const address_key> skip, std::vector<uint32_t> &slots) const;
    held_version hold(udp_grpstat &totals) const;

    void count_icmp(const udp_group_addr &dest, int error);
    void count_send(const udp_grpstat &done);

private:
    // Guards all of it, also who holds a version. The socket is not touched
    // under it.
    mutable std::mutex lock_;
    member_table table_;
    uint64_t generation_ = 0;
    udp_grpstat totals_{};
};

} // namespace groupcast::internal
