// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "send_request.hpp"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace groupcast::internal {
namespace {

// Linux takes no more in one call: UIO_MAXIOV
constexpr size_t max_iov = 1024;
constexpr size_t max_datagram = 0xFFFF;

// The length of all pieces, or one that is too long.
size_t total_length(std::span<const iovec> data)
{
    size_t len = 0;
    for (const auto &piece : data) {
        if (piece.iov_len > UDP_GROUP_MAX_DATA - len)
            return UDP_GROUP_MAX_DATA + 1;
        len += piece.iov_len;
    }
    return len;
}

bool is_the_groups(const cmsghdr &cmsg)
{
    return cmsg.cmsg_level == IPPROTO_UDP && cmsg.cmsg_type >= UDP_GRP_SKIP &&
           cmsg.cmsg_type <= UDP_GRP_SPREAD;
}

template <typename T> int read_value(std::span<const std::byte> from, T &out)
{
    if (from.size() != sizeof(out))
        return -EINVAL;
    std::memcpy(&out, from.data(), sizeof(out));
    return 0;
}

int read_skip(std::span<const std::byte> packed, sa_family_t family, std::vector<address_key> &out)
{
    std::vector<udp_group_addr> addrs;
    int err = read_addresses(packed, family, addrs);
    if (err != 0)
        return err;
    if (!std::all_of(addrs.begin(), addrs.end(), has_port))
        return -EINVAL;
    out.reserve(addrs.size());
    for (const auto &addr : addrs)
        out.emplace_back(addr);
    return 0;
}

} // namespace

int send_request::read(const msghdr &msg, sa_family_t family)
{
    if (msg.msg_iovlen > max_iov)
        return -EMSGSIZE;
    data = {msg.msg_iov, msg.msg_iovlen};
    length = total_length(data);
    if (length > UDP_GROUP_MAX_DATA)
        return -EMSGSIZE;
    return read_control({static_cast<const std::byte *>(msg.msg_control), msg.msg_controllen},
                        family);
}

int send_request::read_one(const cmsghdr &cmsg, std::span<const std::byte> value,
                           sa_family_t family)
{
    const unsigned bit = 1U << static_cast<unsigned>(cmsg.cmsg_type - UDP_GRP_SKIP);
    if ((has_ & bit) != 0)
        return -EINVAL;
    has_ |= bit;

    switch (cmsg.cmsg_type) {
    case UDP_GRP_SKIP:
        return read_skip(value, family, skip);
    case UDP_GRP_RANGE:
        return read_value(value, range);
    case UDP_GRP_PRIVATE: {
        int err = read_value(value, own.emplace());
        return err == 0 && own->reserved != 0 ? -EINVAL : err;
    }
    case UDP_GRP_SPREAD: {
        int err = read_value(value, spread.emplace());
        return err == 0 && *spread > UDP_GROUP_MAX_SPREAD ? -EINVAL : err;
    }
    default:
        return -EINVAL;
    }
}

int send_request::read_control(std::span<const std::byte> from, sa_family_t family)
{
    control = from;
    bool has_departure = false;
    for (auto left = from; left.size() >= sizeof(cmsghdr);) {
        cmsghdr cmsg;
        std::memcpy(&cmsg, left.data(), sizeof(cmsg));
        if (cmsg.cmsg_len < CMSG_LEN(0) || cmsg.cmsg_len > left.size())
            return -EINVAL;
        auto whole = left.first(cmsg.cmsg_len);
        left = left.subspan(std::min(left.size(), CMSG_ALIGN(whole.size())));
        if (is_the_groups(cmsg)) {
            int err = read_one(cmsg, whole.subspan(CMSG_LEN(0)), family);
            if (err != 0)
                return err;
            continue;
        }
        has_departure |= cmsg.cmsg_level == SOL_SOCKET && cmsg.cmsg_type == SCM_TXTIME;
        rest_.insert(rest_.end(), whole.begin(), whole.end());
        rest_.resize(CMSG_ALIGN(rest_.size()));
    }
    if (has_ != 0)
        control = rest_;
    // Two departure times contradict each other
    return has_departure && spread.value_or(0) != 0 ? -EINVAL : 0;
}

int send_plan::make(const send_request &request, const version &group)
{
    const size_t slots = group.slots.size();
    const auto &range = request.range;
    first = std::min<size_t>(range.first, slots);
    end = range.count != 0 ? first + std::min<size_t>(range.count, slots - first) : slots;
    members = group.members_between(first, end);
    length = request.length;
    spread = request.spread.value_or(0);

    std::sort(skip.begin(), skip.end());
    skip.erase(std::unique(skip.begin(), skip.end()), skip.end());
    std::erase_if(skip, [this](uint32_t slot) { return slot < first || slot >= end; });

    if (request.own) {
        if (request.own->generation != group.generation)
            return -ESTALE;
        // Slots that there are not have no prefixes
        if (range.first > slots || (range.count != 0 && range.count != end - first))
            return -EINVAL;
        uint64_t prefixes = uint64_t{request.own->length} * (end - first);
        if (prefixes > length)
            return -EINVAL;
        own_length = request.own->length;
        length = length - prefixes + own_length;
    }
    return length > max_datagram ? -EMSGSIZE : 0;
}

} // namespace groupcast::internal
