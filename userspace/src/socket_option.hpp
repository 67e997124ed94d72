// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// Options of a socket that are an int.
#pragma once

#include <sys/socket.h>

#include <cerrno>

namespace groupcast::internal {

// The value, which is none of those below 0, or a negative errno.
inline int get_option(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof(value);
    return getsockopt(fd, level, name, &value, &len) < 0 ? -errno : value;
}

inline int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

} // namespace groupcast::internal
