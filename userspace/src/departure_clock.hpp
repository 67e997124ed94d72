// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// The clock of departure times, and what is wrong with control messages.
#pragma once

#include "member_table.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace groupcast::internal {

// Is this the reason why a send to the member is EINVAL?
bool is_control_invalid(int fd, const member &to, std::span<const std::byte> control);

class departure_clock {
public:
    explicit departure_clock(int fd) : fd_(fd) {}

    // What time it is, in nanoseconds; or -EINVAL if the socket does not have
    // SO_TXTIME. The member is any that can be sent to.
    int now(const member &to, uint64_t &out);

private:
    const int fd_;
    // Nobody can take it from the socket again
    std::atomic<bool> has_txtime_ = false;
};

} // namespace groupcast::internal
