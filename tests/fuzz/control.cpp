// SPDX-License-Identifier: GPL-2.0-only
#include "control.hpp"

#include "hostile.hpp"
#include "random.hpp"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/udp_group.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <climits>
#include <cstring>

namespace fuzz {

namespace {

class Builder {
public:
    void add(int level, int type, std::span<const std::byte> value)
    {
        const size_t at = bytes_.size();
        bytes_.resize(at + CMSG_SPACE(value.size()));
        cmsghdr header{};
        header.cmsg_level = level;
        header.cmsg_type = type;
        header.cmsg_len = CMSG_LEN(value.size());
        std::memcpy(bytes_.data() + at, &header, sizeof(header));
        std::copy(value.begin(), value.end(),
                  bytes_.begin() + static_cast<ptrdiff_t>(at + CMSG_LEN(0)));
        begins_.push_back(at);
    }
    template <typename T> void add_value(int level, int type, const T &value, size_t len)
    {
        auto bytes = std::as_bytes(std::span(&value, 1));
        std::vector<std::byte> cut(bytes.begin(), bytes.end());
        cut.resize(len);
        add(level, type, cut);
    }
    // One header says something about its length that is not so, or the end is
    // missing.
    void spoil(uint64_t number)
    {
        constexpr size_t lengths[] = {0, 1, 15, 16, 17, INT_MAX, UINT_MAX, SIZE_MAX, SIZE_MAX - 7};
        Choice choice(number);
        const size_t how = choice.of(8);
        if (how == 0 || how > 3 || bytes_.empty())
            return;
        if (how == 1) {
            bytes_.resize(choice.of(bytes_.size()));
            return;
        }
        const size_t at = begins_[choice.of(begins_.size())];
        size_t len = 0;
        std::memcpy(&len, bytes_.data() + at, sizeof(len));
        len = how == 2 ? choice.from(lengths) : len + choice.of(64) - 32;
        std::memcpy(bytes_.data() + at, &len, sizeof(len));
    }
    std::vector<std::byte> take() { return std::move(bytes_); }

private:
    std::vector<std::byte> bytes_;
    std::vector<size_t> begins_;
};

std::vector<std::byte> addresses(Choice &choice)
{
    std::vector<std::byte> all;
    const size_t n = choice.of(8), step = choice.of(3);
    const uint64_t first = choice.of(1024);
    for (size_t i = 0; i < n; i++) {
        auto one = address(first + i * step * usable_addresses);
        all.insert(all.end(), one.begin(), one.end());
    }
    if (choice.of(8) == 1) {
        auto one = bad_address(choice.of(1024));
        all.insert(all.end(), one.begin(), one.end());
    }
    return all;
}

constexpr uint32_t counts[] = {0, 1, 2, 3, 8, 64, 65, 4096, 65535, 65536, INT_MAX, UINT_MAX};

void add_range(Builder &out, Choice &choice)
{
    udp_grp_range range{};
    range.first = choice.of(2) == 0 ? static_cast<uint32_t>(choice.of(4)) : choice.from(counts);
    range.count = choice.from(counts);
    out.add_value(SOL_UDP, UDP_GRP_RANGE, range, length(choice.rest(), sizeof(range)) % 4096);
}

void add_private(Builder &out, Choice &choice, uint64_t generation)
{
    constexpr uint32_t lengths[] = {0, 1, 8, 16, 64, 300, 400, 1500, 65535, 65536, UINT_MAX};
    udp_grp_private own{};
    own.length = choice.from(lengths);
    own.generation = choice.of(8) == 1 ? generation + choice.of(3) - 1 : generation;
    own.reserved = choice.of(16) == 1 ? 1 : 0;
    out.add_value(SOL_UDP, UDP_GRP_PRIVATE, own, length(choice.rest(), sizeof(own)) % 4096);
}

void add_spread(Builder &out, Choice &choice)
{
    constexpr uint64_t times[] = {
        1000, 1000000, 0, 1, UDP_GROUP_MAX_SPREAD, UDP_GROUP_MAX_SPREAD + 1, UINT64_MAX};
    const uint64_t time = choice.from(times);
    out.add_value(SOL_UDP, UDP_GRP_SPREAD, time, length(choice.rest(), sizeof(time)) % 4096);
}

void add_txtime(Builder &out, Choice &choice)
{
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const uint64_t time = static_cast<uint64_t>(now.tv_sec) * 1000000000 + choice.of(1 << 20);
    out.add_value(SOL_SOCKET, SCM_TXTIME, time, length(choice.rest(), sizeof(time)) % 4096);
}

void add_pktinfo(Builder &out, Choice &choice)
{
    if (choice.of(2) == 0) {
        in_pktinfo info{};
        info.ipi_ifindex = static_cast<int>(choice.of(5)) - 1;
        info.ipi_spec_dst.s_addr = htonl(choice.of(2) == 0 ? 0x0a090001 : 0x7f000001);
        out.add_value(IPPROTO_IP, IP_PKTINFO, info, length(choice.rest(), sizeof(info)) % 4096);
    } else {
        in6_pktinfo info{};
        info.ipi6_ifindex = static_cast<unsigned>(choice.of(5)) - 1;
        if (choice.of(2) == 0)
            info.ipi6_addr = IN6ADDR_LOOPBACK_INIT;
        out.add_value(IPPROTO_IPV6, IPV6_PKTINFO, info, length(choice.rest(), sizeof(info)) % 4096);
    }
}

// Others, whose value is a number or some bytes.
void add_other(Builder &out, Choice &choice)
{
    struct Type {
        int level, type;
        size_t len;
    };
    constexpr Type types[] = {
        {IPPROTO_IP, IP_TOS, 4},
        {IPPROTO_IP, IP_TOS, 1},
        {IPPROTO_IP, IP_TTL, 4},
        {IPPROTO_IP, IP_RETOPTS, 4},
        {IPPROTO_IP, 52 /* IP_PROTOCOL */, 4},
        {SOL_UDP, UDP_SEGMENT, 2},
        {SOL_SOCKET, SO_MARK, 4},
        {SOL_SOCKET, SO_TIMESTAMPING, 4},
        {SOL_SOCKET, SCM_RIGHTS, 4},
        {IPPROTO_IPV6, IPV6_TCLASS, 4},
        {IPPROTO_IPV6, IPV6_HOPLIMIT, 4},
        {IPPROTO_IPV6, IPV6_DONTFRAG, 4},
        {IPPROTO_IPV6, 11 /* IPV6_FLOWINFO */, 4},
        {IPPROTO_IPV6, IPV6_HOPOPTS, 8},
        {IPPROTO_IPV6, IPV6_DSTOPTS, 8},
        {IPPROTO_IPV6, IPV6_RTHDR, 24},
        {SOL_UDP, 0x4710, 4},
        {SOL_UDP, 0x4715, 4},
        {SOL_SOCKET, SO_PRIORITY, 4},
        {0, 0, 0},
    };
    const auto &type = choice.from(types);
    uint64_t value[3] = {choice.of(3) == 0 ? choice.of(65536) : choice.of(64), 0, 0};
    out.add_value(type.level, type.type, value, length(choice.rest(), type.len) % 4096);
}

} // namespace

std::vector<std::byte> control(std::span<const uint64_t> numbers, uint64_t malformation,
                               uint64_t generation)
{
    Builder out;
    for (uint64_t number : numbers) {
        Choice choice(number);
        switch (choice.of(10)) {
        case 0:
            break;
        case 1:
        case 2:
            out.add(SOL_UDP, UDP_GRP_SKIP, addresses(choice));
            break;
        case 3:
        case 4:
            add_range(out, choice);
            break;
        case 5:
        case 6:
            add_private(out, choice, generation);
            break;
        case 7:
            add_spread(out, choice);
            break;
        case 8:
            choice.of(2) == 0 ? add_txtime(out, choice) : add_pktinfo(out, choice);
            break;
        default:
            add_other(out, choice);
        }
    }
    out.spoil(malformation);
    return out.take();
}

} // namespace fuzz
