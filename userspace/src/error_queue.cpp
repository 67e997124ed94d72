// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "error_queue.hpp"

#include <sys/socket.h>
#include <time.h> // for linux/errqueue.h

#include <linux/errqueue.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace groupcast::internal {

bool take_queued_error(int fd, queued_error &out)
{
    // Room for what else a program may have asked to be told of a datagram
    alignas(cmsghdr) std::byte control[1024];
    msghdr msg{};
    out = {};
    msg.msg_name = &out.dest;
    msg.msg_namelen = sizeof(out.dest);
    msg.msg_control = control;
    msg.msg_controllen = sizeof(control);
    if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return false;

    for (cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg != nullptr; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
        if (cmsg->cmsg_level != IPPROTO_IP || cmsg->cmsg_type != IP_RECVERR)
            continue;
        sock_extended_err err;
        std::memcpy(&err, CMSG_DATA(cmsg), sizeof(err));
        out.icmp = err.ee_origin == SO_EE_ORIGIN_ICMP;
        out.error = static_cast<int>(err.ee_errno);
    }
    return true;
}

bool is_icmp_errno(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EMSGSIZE:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPROTO:
        return true;
    default:
        return false;
    }
}

} // namespace groupcast::internal
