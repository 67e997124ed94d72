// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "control_check.hpp"

#include "groupcast/groupcast.h"

#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace groupcast::internal {
namespace {

// With no data and with MSG_CONFIRM, a send that looks at everything and then
// sends nothing. The C library calls this bit MSG_PROXY.
constexpr int msg_probe = 0x10;

// The kernel reads control messages before it looks at anything that the
// address has a part in, so any address will do.
int probe(int fd, sa_family_t family, std::span<const std::byte> control)
{
    udp_group_addr to{};
    msghdr msg{};
    if (family == AF_INET6) {
        to.in6.sin6_family = AF_INET6;
        to.in6.sin6_port = htons(9);
        to.in6.sin6_addr = in6addr_loopback;
        msg.msg_namelen = sizeof(to.in6);
    } else {
        to.in.sin_family = AF_INET;
        to.in.sin_port = htons(9);
        to.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        msg.msg_namelen = sizeof(to.in);
    }
    msg.msg_name = &to;
    msg.msg_control = const_cast<std::byte *>(control.data());
    msg.msg_controllen = control.size();
    return sendmsg(fd, &msg, MSG_CONFIRM | MSG_DONTWAIT | msg_probe) < 0 ? errno : 0;
}

// Can it be control messages that the kernel says this of?
bool is_about_control(int err)
{
    switch (err) {
    case EINVAL:
    case ENOBUFS: // longer than net.core.optmem_max
    case ENODEV:  // no such interface
    case EPERM:
        return true;
    default:
        return false;
    }
}

// Which source address and interface there are is for routes to say, and so for
// each member.
std::vector<std::byte> without_source(std::span<const std::byte> control)
{
    std::vector<std::byte> copy(control.begin(), control.end());
    msghdr msg{};
    msg.msg_control = copy.data();
    msg.msg_controllen = copy.size();
    for (cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg != nullptr; cmsg = CMSG_NXTHDR(&msg, cmsg))
        if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO &&
            cmsg->cmsg_len == CMSG_LEN(sizeof(in_pktinfo)))
            std::memset(CMSG_DATA(cmsg), 0, sizeof(in_pktinfo));
    return copy;
}

} // namespace

int control_error(int fd, sa_family_t family, std::span<const std::byte> control)
{
    if (control.empty())
        return 0;
    if (probe(fd, family, control) == 0)
        return 0;
    const int err = probe(fd, family, without_source(control));
    // Or what somebody says of every send to this address
    if (!is_about_control(err) || probe(fd, family, {}) == err)
        return 0;
    return family == AF_INET6 && probe(fd, AF_INET, control) == 0 ? 0 : err;
}

} // namespace groupcast::internal
