// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "error_queue.hpp"
#include "socket_option.hpp"

#include <sys/socket.h>
#include <time.h> // for linux/errqueue.h

#include <linux/errqueue.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace groupcast::internal {
namespace {

// A send that meets an earlier datagram's ICMP error is tried again. More than
// once only if errors keep coming back meanwhile, and not for ever then.
constexpr int max_retries = 16;

struct queued_error {
    bool icmp; // from the network, and not made on this host
    int error;
    udp_group_addr dest;
};

bool is_about_datagram(const cmsghdr &cmsg)
{
    return (cmsg.cmsg_level == IPPROTO_IP && cmsg.cmsg_type == IP_RECVERR) ||
           (cmsg.cmsg_level == IPPROTO_IPV6 && cmsg.cmsg_type == IPV6_RECVERR);
}

// Takes the next error, if there is one.
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
        if (!is_about_datagram(*cmsg))
            continue;
        sock_extended_err err;
        std::memcpy(&err, CMSG_DATA(cmsg), sizeof(err));
        out.icmp = err.ee_origin == SO_EE_ORIGIN_ICMP || err.ee_origin == SO_EE_ORIGIN_ICMP6;
        out.error = static_cast<int>(err.ee_errno);
    }
    return true;
}

// Can this errno of a send be that of an earlier datagram, for which an ICMP
// error came back?
bool is_icmp_errno(int error)
{
    switch (error) {
    case EACCES: // ICMPv6
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

} // namespace

// A socket over IPv6 also sends over IPv4.
std::span<error_queue::option> error_queue::options()
{
    return std::span(options_).first(family_ == AF_INET6 ? 2 : 1);
}

void error_queue::restore()
{
    for (const auto &option : options())
        set_option(fd_, option.level, option.name, option.before);
}

int error_queue::start()
{
    for (auto &option : options()) {
        option.before = get_option(fd_, option.level, option.name);
        if (option.before < 0)
            return option.before;
    }
    for (const auto &option : options()) {
        int err = set_option(fd_, option.level, option.name, 1);
        if (err != 0) {
            restore();
            return err;
        }
    }
    return 0;
}

void error_queue::stop()
{
    drain();
    restore();
    // An error that found the queue full is still waiting for the next call on
    // the socket, which has nothing to do with the group any more.
    get_option(fd_, SOL_SOCKET, SO_ERROR);
}

void error_queue::drain()
{
    std::lock_guard lock(lock_);
    queued_error error{};
    // Bounded, whatever rate the network sends them at
    for (int n = 0; n < UDP_GROUP_MAX_MEMBERS && take_queued_error(fd_, error); n++) {
        if (!error.icmp)
            continue;
        seen_++;
        on_icmp_(error.dest, error.error);
    }
}

bool error_queue::was_earlier(int err, uint64_t seen_before, int retries)
{
    if (!is_icmp_errno(err) || retries >= max_retries)
        return false;
    drain();
    // One that found the error queue full is not seen: so the first try never
    // counts.
    return retries == 0 || seen_ != seen_before;
}

} // namespace groupcast::internal
