// SPDX-License-Identifier: GPL-2.0-only
// io_uring: a send to each member, submitted in batches and reaped.
#pragma once

#include "way.hpp"

#include <liburing.h>

#include <algorithm>

namespace ways {

class IoUring final : public Way {
public:
    IoUring(std::span<const sockaddr_in> members, int sndbuf)
        : members_(members.begin(), members.end()), ring_(open_socket(sndbuf))
    {}
    void send(std::span<const char> data) override
    {
        for (size_t done = 0; done < members_.size();) {
            size_t n = std::min<size_t>(members_.size() - done, depth);
            for (size_t i = 0; i < n; i++)
                prepare(members_[done + i], data);
            int submitted = io_uring_submit_and_wait(ring_.get(), static_cast<unsigned>(n));
            errno = -submitted;
            check(submitted == static_cast<int>(n), "io_uring_submit_and_wait");
            reap(n);
            done += n;
        }
    }
    void change(size_t i, const sockaddr_in &member) override { members_[i] = member; }

private:
    static constexpr unsigned depth = 256;

    // The ring with its one registered socket, as liburing's documents advise
    // for a program whose one thread submits and reaps.
    class Ring {
    public:
        explicit Ring(int fd)
        {
            // 6.1: completions are worked off when they are waited for
            constexpr unsigned single_issuer = 1U << 12, defer_taskrun = 1U << 13;
            errno = -io_uring_queue_init(depth, &ring_, single_issuer | defer_taskrun);
            if (errno == ENOSYS || errno == EPERM)
                throw NotPossible("this kernel has no io_uring");
            check(errno == 0, "io_uring_queue_init");
            errno = -io_uring_register_files(&ring_, &fd, 1);
            if (errno) {
                io_uring_queue_exit(&ring_);
                check(false, "io_uring_register_files");
            }
        }
        Ring(const Ring &) = delete;
        Ring &operator=(const Ring &) = delete;
        ~Ring() { io_uring_queue_exit(&ring_); }
        io_uring *get() { return &ring_; }

    private:
        io_uring ring_{};
    };

    void prepare(const sockaddr_in &to, std::span<const char> data)
    {
        io_uring_sqe *sqe = io_uring_get_sqe(ring_.get());
        if (!sqe)
            throw std::runtime_error("io_uring: the queue is full");
        io_uring_prep_send(sqe, 0, data.data(), data.size(), 0);
        io_uring_prep_send_set_addr(sqe, reinterpret_cast<const sockaddr *>(&to), sizeof(to));
        io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
    }
    void reap(size_t n)
    {
        while (n > 0) {
            io_uring_cqe *cqe = nullptr;
            errno = -io_uring_wait_cqe(ring_.get(), &cqe);
            check(errno == 0, "io_uring_wait_cqe");
            unsigned head = 0, seen = 0;
            io_uring_for_each_cqe(ring_.get(), head, cqe)
            {
                errno = -std::min(cqe->res, 0);
                check(cqe->res >= 0, "io_uring's send");
                seen++;
            }
            io_uring_cq_advance(ring_.get(), seen);
            n -= std::min<size_t>(seen, n);
        }
    }

    std::vector<sockaddr_in> members_;
    Ring ring_;
};

} // namespace ways
