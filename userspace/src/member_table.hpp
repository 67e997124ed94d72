// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// Who is in the group, and in which slot.
#pragma once

#include "address.hpp"
#include "slot_set.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace groupcast::internal {

// A member, with what became of its datagrams. Several sends may be at it.
struct member {
    explicit member(const udp_group_addr &given)
        : addr(given), addr_len(address_length(given)), key(given)
    {}
    udp_grpstat_member record() const;

    udp_group_addr addr;
    const socklen_t addr_len;
    const address_key key;
    uint32_t slot = 0;
    std::atomic<uint64_t> sent = 0;
    std::atomic<uint64_t> failed = 0;
    std::atomic<uint64_t> skipped = 0;
    std::atomic<uint64_t> icmp = 0;
    std::atomic<int> error = 0;
};

using member_ptr = std::shared_ptr<member>;
using member_list = std::vector<member_ptr>;

// Of addresses that are to join. It takes the memory, so that a change of the
// group has less to do under its lock.
member_list make_members(std::span<const udp_group_addr> addrs);

// One version of a group. It does not change as long as somebody holds it.
struct version {
    size_t members_between(size_t first, size_t end) const;

    member_list slots; // null: a hole
    size_t members = 0;
    uint64_t generation = 0;
};

using version_ptr = std::shared_ptr<version>;

// The group as it is now. It has no lock: whoever changes it, looks something
// up, takes now() or lets go of that again does so under the same one.
//
// A change is made in place, and in a copy if somebody holds the version. The
// copy is as long as the group, but so was the send that held it.
class member_table {
public:
    // All of them join, each in the lowest slot that is free; or
    // -ENOBUFS: too many; else, of the first that is wrong,
    // -EINVAL: it has port 0,
    // -EADDRINUSE: it is a member, or was there before.
    int add(const member_list &joining);

    // All of them leave; or
    // -ENOBUFS: more than any group can have,
    // -EADDRNOTAVAIL: more than there are members; else, of the first that is wrong,
    // -EINVAL: it has port 0,
    // -EADDRNOTAVAIL: it is no member, or was there before.
    int remove(std::span<const udp_group_addr> leaving);

    // By its address as it was given, or with the link that it was heard on.
    member *find(address_key key) const;
    const version_ptr &now() const { return now_; }
    bool empty() const { return now_->members == 0; }
    void number(uint64_t generation) { now_->generation = generation; }

private:
    using index_map = std::unordered_map<address_key, member *, address_hash>;

    version &writable();
    void join(const member_ptr &m);
    void leave(const member &m);

    version_ptr now_ = std::make_shared<version>();
    index_map index_;
    slot_set free_;
};

} // namespace groupcast::internal
