// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// The clock of departure times.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstdint>

namespace groupcast::internal {

class departure_clock {
public:
    departure_clock(int fd, sa_family_t family) : fd_(fd), family_(family) {}

    // What time it is, in nanoseconds; or -EINVAL if the socket does not have
    // SO_TXTIME.
    int now(uint64_t &out);

private:
    const int fd_;
    const sa_family_t family_;
    // Nobody can take it from the socket again
    std::atomic<bool> has_txtime_ = false;
};

} // namespace groupcast::internal
