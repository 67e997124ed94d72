// SPDX-License-Identifier: GPL-2.0-only
#include "options.hpp"

#include "random.hpp"

#include <linux/in6.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <climits>
#include <iterator>
#include <string_view>

namespace fuzz {

namespace {

struct Option {
    int level, name;
};

constexpr Option options[] = {
    {SOL_SOCKET, SO_TXTIME},
    {SOL_SOCKET, SO_TXTIME},
    {SOL_SOCKET, SO_SNDBUF},
    {SOL_SOCKET, SO_BROADCAST},
    {SOL_SOCKET, SO_ZEROCOPY},
    {SOL_SOCKET, SO_TIMESTAMPING},
    {SOL_SOCKET, SO_MARK},
    {SOL_SOCKET, SO_PRIORITY},
    {SOL_SOCKET, SO_BINDTODEVICE},
    {SOL_SOCKET, SO_DONTROUTE},
    {SOL_SOCKET, SO_NO_CHECK},
    {SOL_SOCKET, SO_REUSEADDR},
    {SOL_SOCKET, SO_MAX_PACING_RATE},
    {SOL_UDP, UDP_CORK},
    {SOL_UDP, UDP_SEGMENT},
    {SOL_UDP, UDP_ENCAP},
    {SOL_UDP, 101}, // UDP_NO_CHECK6_TX
    {IPPROTO_IP, IP_TOS},
    {IPPROTO_IP, IP_TTL},
    {IPPROTO_IP, IP_RECVERR},
    {IPPROTO_IP, IP_MTU_DISCOVER},
    {IPPROTO_IP, IP_OPTIONS},
    {IPPROTO_IP, IP_FREEBIND},
    {IPPROTO_IP, IP_TRANSPARENT},
    {IPPROTO_IP, IP_MULTICAST_TTL},
    {IPPROTO_IP, IP_UNICAST_IF},
    {IPPROTO_IPV6, IPV6_RECVERR},
    {IPPROTO_IPV6, IPV6_V6ONLY},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {IPPROTO_IPV6, IPV6_TCLASS},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER},
    {IPPROTO_IPV6, IPV6_DONTFRAG},
    {IPPROTO_IPV6, IPV6_FLOWINFO_SEND},
    {IPPROTO_IPV6, IPV6_AUTOFLOWLABEL},
    {IPPROTO_IPV6, IPV6_HOPOPTS},
    {IPPROTO_IPV6, IPV6_RTHDRDSTOPTS},
    {IPPROTO_IPV6, IPV6_UNICAST_IF},
    {IPPROTO_IPV6, IPV6_ADDR_PREFERENCES},
    {IPPROTO_IPV6, IPV6_MTU},
};

} // namespace

int set_option(int fd, uint64_t which, uint64_t value)
{
    constexpr int values[] = {1, 0, 2, 3, 5, 64, 255, 1000, 2048, 65535, 1 << 20, -1, INT_MIN};
    constexpr clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_TAI, CLOCK_REALTIME, CLOCK_BOOTTIME};
    constexpr std::string_view devices[] = {"", "lo", "fuzz0", "none"};
    // no options at all, as IP and as IPv6 write that
    constexpr char none[8] = {1, 1, 1, 0};
    constexpr char padding[8] = {0, 0, 1, 4, 0, 0, 0, 0};
    const auto &o = options[which % std::size(options)];
    Choice choice(value);
    if (o.name == SO_TXTIME && o.level == SOL_SOCKET) {
        sock_txtime txtime{.clockid = choice.from(clocks), .flags = 0};
        txtime.flags = static_cast<uint32_t>(choice.of(6) == 5 ? choice.of(8) : choice.of(2) * 2);
        return setsockopt(fd, o.level, o.name, &txtime, sizeof(txtime));
    }
    if (o.name == SO_BINDTODEVICE && o.level == SOL_SOCKET) {
        const auto &device = choice.from(devices);
        return setsockopt(fd, o.level, o.name, device.data(),
                          static_cast<socklen_t>(device.size()));
    }
    if (o.name == IP_OPTIONS && o.level == IPPROTO_IP)
        return setsockopt(fd, o.level, o.name, none, static_cast<socklen_t>(choice.of(3) * 4));
    if ((o.name == IPV6_HOPOPTS || o.name == IPV6_RTHDRDSTOPTS) && o.level == IPPROTO_IPV6)
        return setsockopt(fd, o.level, o.name, padding, static_cast<socklen_t>(choice.of(2) * 8));
    const int number = choice.from(values);
    return setsockopt(fd, o.level, o.name, &number, sizeof(number));
}

} // namespace fuzz
