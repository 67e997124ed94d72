// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// One send to a group: the loop over the slots.
#pragma once

#include "error_queue.hpp"
#include "message_batch.hpp"
#include "send_request.hpp"

#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

namespace groupcast::internal {

class group_send {
public:
    group_send(int fd, error_queue &errors, const send_request &request, const send_plan &plan,
               const version &group, int flags, bool may_wait)
        : fd_(fd), errors_(errors), request_(request), plan_(plan), group_(group), flags_(flags),
          may_wait_(may_wait), next_(plan.first)
    {}

    // Sends with the messages of a batch.
    void run(message_batch &batch);

    // How many slots it has passed, and what became of those.
    size_t passed() const { return next_ - plan_.first; }
    udp_grpstat done() const;
    int error() const { return error_; } // why it was not all

private:
    void pass_nobody(size_t slot);
    void count(member &to, int err);
    static bool is_final(int err);
    int time_left() const;
    int wait_and_send(mmsghdr &message);
    bool send_batch(message_batch &batch);

    const int fd_;
    error_queue &errors_;
    const send_request &request_;
    const send_plan &plan_;
    const version &group_;
    const int flags_;
    const bool may_wait_;
    const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();

    size_t next_;          // the first slot that has not been passed
    size_t next_skip_ = 0; // in plan_.skip
    uint64_t sent_ = 0;
    uint64_t failed_ = 0;
    uint64_t skipped_ = 0;
    uint64_t holes_ = 0;
    int error_ = 0;
};

} // namespace groupcast::internal
