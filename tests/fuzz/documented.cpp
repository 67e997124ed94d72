// SPDX-License-Identifier: GPL-2.0-only
#include "documented.hpp"

#include <linux/udp_group.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>

namespace fuzz {

namespace {

bool among(int err, std::initializer_list<int> list)
{
    return std::find(list.begin(), list.end(), err) != list.end();
}

// What any option answers for a pointer or a length that cannot be.
bool is_general(int err) { return among(err, {EOPNOTSUPP, EFAULT, EINVAL, ENOPROTOOPT}); }

} // namespace

bool is_documented_set(int option, bool has_groups, int err)
{
    if (!has_groups)
        return is_general(err);
    switch (option) {
    case SO_SETGRP:
    case SO_ADDGRP:
        return among(err,
                     {EAFNOSUPPORT, EINVAL, EADDRINUSE, ENOBUFS, EFAULT, ENOMEM, EISCONN, EBUSY});
    case SO_DELGRP:
        return among(
            err, {EAFNOSUPPORT, EINVAL, EADDRNOTAVAIL, ENOBUFS, EFAULT, ENOMEM, EISCONN, EBUSY});
    case SO_GRPFLAGS:
        return among(err, {EINVAL, EFAULT, ENOMEM});
    default: // the length comes first, for every option
        return among(err, {ENOPROTOOPT, EINVAL, EFAULT});
    }
}

bool is_documented_get(int option, bool has_groups, int err)
{
    if (!has_groups)
        return is_general(err);
    switch (option) {
    case SO_SETGRP:
        return among(err, {ERANGE, EFAULT, EINVAL});
    case SO_GRPSTAT:
    case SO_GRPFLAGS:
        return among(err, {EINVAL, EFAULT});
    default:
        return among(err, {ENOPROTOOPT, EINVAL, EFAULT});
    }
}

bool is_documented_send(int err)
{
    return among(err, {EMSGSIZE, EOPNOTSUPP, EINVAL, ESTALE, EAGAIN, EINTR, EFAULT, EPIPE,
                       EDESTADDRREQ, EAFNOSUPPORT, ENOMEM, ENOBUFS,
                       // pending errors, which ICMP made
                       ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EACCES, EPROTO, EOPNOTSUPP,
                       // what sendto() and other kinds of sockets say
                       EPERM, ENODEV, ENXIO, EADDRNOTAVAIL, ENOTCONN, ECONNRESET, EISCONN,
                       ENOPROTOOPT, ENETDOWN, EPROTONOSUPPORT, EIO, EBADF});
}

} // namespace fuzz
