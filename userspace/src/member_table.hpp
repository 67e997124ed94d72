// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// One version of a group. Its addresses never change: a change of the group
// makes another table, so a send that holds one sees one version.
#pragma once

#include "groupcast/groupcast.h"

#include <netinet/in.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace groupcast::internal {

// What became of a member's datagrams. Several sends may be at one table.
struct member_counters {
    std::atomic<uint64_t> sent = 0;
    std::atomic<uint64_t> failed = 0;
    std::atomic<uint64_t> icmp = 0;
    std::atomic<int> error = 0;
};

class member_table {
public:
    // Makes a table of packed addresses; or, with nothing changed,
    // -EINVAL: an address is cut short, or has port 0,
    // -EAFNOSUPPORT: an address of another family,
    // -ENOBUFS: too many,
    // -EADDRINUSE: an address is there twice.
    static int parse(std::span<const std::byte> packed, std::shared_ptr<member_table> &out);

    std::span<sockaddr_in> addrs() { return addrs_; }
    std::span<const sockaddr_in> addrs() const { return addrs_; }
    size_t size() const { return addrs_.size(); }
    member_counters &counters(size_t slot) { return counters_[slot]; }
    member_counters *find(const sockaddr_in &addr);
    udp_grpstat_member record(size_t slot) const;

    uint64_t generation = 0;

private:
    using key_and_slot = std::pair<uint64_t, uint32_t>;

    std::vector<sockaddr_in> addrs_;
    std::unique_ptr<member_counters[]> counters_;
    // Sorted, and not hashed: nobody can choose addresses that make it slow
    std::vector<key_and_slot> index_;
};

} // namespace groupcast::internal
