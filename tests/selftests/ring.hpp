// SPDX-License-Identifier: GPL-2.0-only
// io_uring, one operation at a time.
#pragma once

#include "messages.hpp"

#include <functional>
#include <liburing.h>
#include <memory>

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

// Sends to the group in parts, each from where the last one ended.
class InParts {
public:
    InParts(Ring &ring, const Sender &s, const std::string &data, const Way &way)
        : ring_(ring), s_(s), data_(data), way_(way)
    {}
    // The next part, by an operation of this number. What has no control messages is
    // for all slots, so only the first part can be sent by it.
    void submit(size_t operation, int flags = 0)
    {
        messages_.push_back(
            std::make_unique<Message>(data_, Control(way_.control).range(passed, 0)));
        ring_.submit([&](io_uring_sqe *sqe) {
            operations(s_, data_, *messages_.back())[operation | (passed ? 1 : 0)].prepare(sqe);
            sqe->msg_flags |= static_cast<unsigned>(way_.flags | flags);
        });
    }
    // How many slots it passed.
    long outcome()
    {
        const long n = ring_.outcome();
        passed += static_cast<uint32_t>(std::max(n, 0L));
        sends += n > 0;
        return n;
    }
    uint32_t passed = 0, sends = 0;

private:
    Ring &ring_;
    const Sender &s_;
    const std::string &data_;
    const Way &way_;
    std::vector<std::unique_ptr<Message>> messages_; // in use as long as they are held
};

} // namespace selftest
