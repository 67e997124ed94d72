// SPDX-License-Identifier: GPL-2.0-only
// Sends by io_uring, one at a time, that end like system calls.
#pragma once

#include <liburing.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

namespace fuzz {

class Ring {
public:
    Ring();
    ~Ring() { io_uring_queue_exit(&ring_); }
    Ring(const Ring &) = delete;
    Ring &operator=(const Ring &) = delete;

    // Of these only the messages have more than one piece, a name and control data.
    static constexpr size_t forms = 4; // sendmsg, sendmsg_zc, send, send_zc
    // As sendmsg() would return, with errno.
    long send(size_t form, int fd, const msghdr &msg, int flags);

private:
    io_uring ring_;
    uint64_t sends_ = 0;
};

} // namespace fuzz
