// SPDX-License-Identifier: GPL-2.0-only
#include "ring.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace fuzz {

namespace {

void prepare(io_uring_sqe *sqe, size_t form, int fd, const msghdr &msg, int flags)
{
    const iovec &piece = msg.msg_iov[0];
    switch (form) {
    case 0:
        io_uring_prep_sendmsg(sqe, fd, &msg, static_cast<unsigned>(flags));
        break;
    case 1:
        io_uring_prep_sendmsg_zc(sqe, fd, &msg, static_cast<unsigned>(flags));
        break;
    case 2:
        io_uring_prep_send(sqe, fd, piece.iov_base, piece.iov_len, flags);
        break;
    default:
        io_uring_prep_send_zc(sqe, fd, piece.iov_base, piece.iov_len, flags, 0);
    }
}

} // namespace

Ring::Ring()
{
    const int err = io_uring_queue_init(8, &ring_, 0);
    if (err < 0)
        throw std::runtime_error(std::string("io_uring: ") + strerror(-err));
}

long Ring::send(size_t form, int fd, const msghdr &msg, int flags)
{
    // It waits for room without regard to the socket's timeout, so it gets another
    __kernel_timespec timeout{.tv_sec = 0, .tv_nsec = 20000000};
    auto *sqe = io_uring_get_sqe(&ring_);
    prepare(sqe, form % forms, fd, msg, flags);
    sqe->flags |= IOSQE_IO_LINK;
    sqe->user_data = ++sends_;
    sqe = io_uring_get_sqe(&ring_);
    io_uring_prep_link_timeout(sqe, &timeout, 0);
    sqe->user_data = 0;
    io_uring_submit(&ring_);

    // Both have an outcome. That data are free again is told when it is, which can be
    // long after, and nobody waits for it here.
    int err = 0;
    for (int left = 2; left > 0;) {
        io_uring_cqe *cqe = nullptr;
        const int ret = io_uring_wait_cqe(&ring_, &cqe);
        if (ret == -EINTR)
            continue;
        if (ret < 0)
            throw std::runtime_error(std::string("io_uring: ") + strerror(-ret));
        if ((cqe->flags & IORING_CQE_F_NOTIF) == 0) {
            left--;
            if (cqe->user_data == sends_)
                err = cqe->res;
        }
        io_uring_cqe_seen(&ring_, cqe);
    }
    if (err >= 0)
        return err;
    errno = err == -ECANCELED ? EAGAIN : -err;
    return -1;
}

} // namespace fuzz
