// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "departure_clock.hpp"
#include "control_check.hpp"

#include <sys/socket.h>
#include <time.h>

#include <linux/net_tstamp.h>

#include <cerrno>
#include <cstring>

namespace groupcast::internal {
namespace {

bool has_txtime(int fd, sa_family_t family)
{
    alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(uint64_t))] = {};
    cmsghdr cmsg{};
    cmsg.cmsg_level = SOL_SOCKET;
    cmsg.cmsg_type = SCM_TXTIME;
    cmsg.cmsg_len = CMSG_LEN(sizeof(uint64_t));
    std::memcpy(control, &cmsg, sizeof(cmsg));
    return control_error(fd, family, control) == 0;
}

} // namespace

int departure_clock::now(uint64_t &out)
{
    // SO_TXTIME can be read whether it is set or not, but not what it does
    if (!has_txtime_ && !has_txtime(fd_, family_))
        return -EINVAL;
    has_txtime_ = true;

    sock_txtime txtime{};
    socklen_t len = sizeof(txtime);
    if (getsockopt(fd_, SOL_SOCKET, SO_TXTIME, &txtime, &len) < 0)
        return -errno;
    timespec time{};
    if (clock_gettime(txtime.clockid, &time) < 0)
        return -errno;
    out = static_cast<uint64_t>(time.tv_sec) * 1000000000U + static_cast<uint64_t>(time.tv_nsec);
    return 0;
}

} // namespace groupcast::internal
