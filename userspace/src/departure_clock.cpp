// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "departure_clock.hpp"

#include <sys/socket.h>
#include <time.h>

#include <linux/net_tstamp.h>

#include <cerrno>
#include <cstring>

namespace groupcast::internal {
namespace {

// With no data and with MSG_CONFIRM, a send that looks at everything and then
// sends nothing. The C library calls this bit MSG_PROXY.
constexpr int msg_probe = 0x10;

int probe(int fd, const member &to, std::span<const std::byte> control)
{
    msghdr msg{};
    msg.msg_name = const_cast<udp_group_addr *>(&to.addr);
    msg.msg_namelen = to.addr_len;
    msg.msg_control = const_cast<std::byte *>(control.data());
    msg.msg_controllen = control.size();
    return sendmsg(fd, &msg, MSG_CONFIRM | MSG_DONTWAIT | msg_probe) < 0 ? errno : 0;
}

bool has_txtime(int fd, const member &to)
{
    alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(uint64_t))] = {};
    cmsghdr cmsg{};
    cmsg.cmsg_level = SOL_SOCKET;
    cmsg.cmsg_type = SCM_TXTIME;
    cmsg.cmsg_len = CMSG_LEN(sizeof(uint64_t));
    std::memcpy(control, &cmsg, sizeof(cmsg));
    return !is_control_invalid(fd, to, control);
}

} // namespace

// The kernel reads control messages before it looks at anything that the
// address has a part in.
bool is_control_invalid(int fd, const member &to, std::span<const std::byte> control)
{
    return !control.empty() && probe(fd, to, control) == EINVAL && probe(fd, to, {}) != EINVAL;
}

int departure_clock::now(const member &to, uint64_t &out)
{
    // SO_TXTIME can be read whether it is set or not, but not what it does
    if (!has_txtime_ && !has_txtime(fd_, to))
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
