// SPDX-License-Identifier: GPL-2.0-only
// io_uring, one operation at a time.
#pragma once

#include "messages.hpp"

#include <functional>
#include <liburing.h>

namespace selftest {

class Ring {
public:
    Ring()
    {
        int err = io_uring_queue_init(64, &ring_, 0);
        if (err < 0)
            throw std::runtime_error(std::string("io_uring: ") + strerror(-err));
    }
    ~Ring() { io_uring_queue_exit(&ring_); }
    Ring(const Ring &) = delete;
    Ring &operator=(const Ring &) = delete;
    void submit(const std::function<void(io_uring_sqe *)> &prepare)
    {
        prepare(io_uring_get_sqe(&ring_));
        io_uring_submit(&ring_);
    }
    // The outcome of what was submitted.
    long outcome()
    {
        for (;;) {
            auto [res, flags] = next();
            if (flags & IORING_CQE_F_NOTIF) {
                held_--;
                continue;
            }
            held_ += (flags & IORING_CQE_F_MORE) != 0;
            return res;
        }
    }
    // Waits until nobody uses the data any more.
    void settle()
    {
        for (; held_; held_--)
            next();
    }
    // One operation's outcome. Its data may be changed when this returns.
    long complete(const std::function<void(io_uring_sqe *)> &prepare)
    {
        submit(prepare);
        long res = outcome();
        settle();
        return res;
    }

private:
    std::pair<long, unsigned> next()
    {
        io_uring_cqe *cqe;
        __kernel_timespec timeout{.tv_sec = patience / 1000, .tv_nsec = 0};
        int err = io_uring_wait_cqe_timeout(&ring_, &cqe, &timeout);
        if (err < 0)
            throw std::runtime_error(std::string("io_uring: ") + strerror(-err));
        std::pair outcome{static_cast<long>(cqe->res), cqe->flags};
        io_uring_cqe_seen(&ring_, cqe);
        return outcome;
    }
    io_uring ring_;
    int held_ = 0;
};

// Each way in which io_uring sends these data; the message has them, too.
struct Operation {
    const char *name;
    std::function<void(io_uring_sqe *)> prepare;
};

inline std::vector<Operation> operations(const Sender &s, const std::string &data,
                                         const Message &message)
{
    const int fd = s.fd();
    const msghdr *msg = &message.header();
    return {
        {"send",
         [=, &data](auto sqe) { io_uring_prep_send(sqe, fd, data.data(), data.size(), 0); }},
        {"sendmsg", [=](auto sqe) { io_uring_prep_sendmsg(sqe, fd, msg, 0); }},
        {"send_zc",
         [=, &data](auto sqe) { io_uring_prep_send_zc(sqe, fd, data.data(), data.size(), 0, 0); }},
        {"sendmsg_zc", [=](auto sqe) { io_uring_prep_sendmsg_zc(sqe, fd, msg, 0); }},
    };
}

} // namespace selftest
