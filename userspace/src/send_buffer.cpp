// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "send_buffer.hpp"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>

namespace groupcast::internal {
namespace {

// What the kernel charges the socket for a datagram, on a 64-bit machine: its
// struct sk_buff, and a head that holds headers, data and a struct of its own.
// The head has a fixed size if the data are few, or else the next power of two.
// Which path the datagram takes is not known here, so it is what it is whole or
// in fragments of 1,500 bytes, whichever is more. Nobody tells a program: it is
// an estimate, and rather too much than that a send starts in vain.
constexpr uint64_t cache_line = 64;
constexpr uint64_t mtu = 1500;
constexpr uint64_t udp_header = 8;
constexpr uint64_t link_header = 32; // and alignment
constexpr uint64_t ipv4_header = 20;
constexpr uint64_t ipv6_header = 48; // with that of a fragment
constexpr uint64_t sk_buff = 256;
constexpr uint64_t shared_info = 320;
constexpr uint64_t small_head = 704; // at most: it depends on what is built in
constexpr uint64_t is_small = 576;   // for any kernel

constexpr uint64_t head_size(uint64_t len)
{
    return (link_header + len + cache_line - 1) / cache_line * cache_line + shared_info;
}

constexpr uint64_t truesize(uint64_t len, uint64_t ip_header)
{
    uint64_t head = head_size(ip_header + udp_header + len);
    uint64_t whole = sk_buff + (head <= is_small ? small_head : std::bit_ceil(head));
    if (ip_header + udp_header + len <= mtu)
        return whole;

    const uint64_t in_fragment = mtu - ip_header;
    uint64_t fragments = (udp_header + len + in_fragment - 1) / in_fragment;
    return std::max(whole, fragments * (sk_buff + std::bit_ceil(head_size(mtu))));
}

} // namespace

int send_buffer_has_room(int fd, sa_family_t family, size_t datagrams, size_t len)
{
    int used = 0;
    if (ioctl(fd, SIOCOUTQ, &used) < 0)
        return -errno;
    if (used == 0)
        return 1;

    int size = 0;
    socklen_t size_len = sizeof(size);
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &size_len) < 0)
        return -errno;
    const uint64_t each = truesize(len, family == AF_INET6 ? ipv6_header : ipv4_header);
    uint64_t need = static_cast<uint64_t>(used) + datagrams * each;
    return need <= static_cast<uint64_t>(size) ? 1 : 0;
}

} // namespace groupcast::internal
