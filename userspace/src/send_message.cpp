// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "send_message.hpp"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace groupcast::internal {
namespace {

// As in clone3(2) and the like: a program that was compiled with an older
// header has a shorter structure, and one with a newer header may have a longer
// one, if it does not use what is new.
int read_options(const groupcast_send_options &from, groupcast_send_options &out)
{
    out = {};
    // Its first version ended here
    if (from.size < offsetof(groupcast_send_options, spread) + sizeof(from.spread))
        return -EINVAL;
    std::memcpy(&out, &from, std::min(from.size, sizeof(out)));
    const auto *bytes = reinterpret_cast<const unsigned char *>(&from);
    auto is_used = [](unsigned char byte) { return byte != 0; };
    return std::any_of(bytes + sizeof(out), bytes + std::max(from.size, sizeof(out)), is_used)
               ? -E2BIG
               : 0;
}

template <typename T> std::span<const std::byte> bytes_of(const T &value)
{
    return std::as_bytes(std::span(&value, 1));
}

std::span<const std::byte> bytes_of(const void *data, size_t len)
{
    return {static_cast<const std::byte *>(data), len};
}

// Each prefix is a slot's, so they say how many slots the send is for.
int set_count(const groupcast_send_options &options, udp_grp_range &range)
{
    if (options.prefix_len == 0 || options.prefixes_len % options.prefix_len != 0)
        return -EINVAL;
    const size_t count = options.prefixes_len / options.prefix_len;
    if (count == 0 || count > UDP_GROUP_MAX_MEMBERS || (range.count != 0 && range.count != count))
        return -EINVAL;
    range.count = static_cast<uint32_t>(count);
    return 0;
}

} // namespace

void send_message::add(int type, std::span<const std::byte> value)
{
    const size_t at = control_.size();
    cmsghdr cmsg{};
    cmsg.cmsg_level = IPPROTO_UDP;
    cmsg.cmsg_type = type;
    cmsg.cmsg_len = CMSG_LEN(value.size());
    control_.resize(at + CMSG_SPACE(value.size()));
    auto to = std::span(control_).subspan(at);
    std::memcpy(to.data(), &cmsg, sizeof(cmsg));
    std::copy(value.begin(), value.end(), to.subspan(CMSG_LEN(0)).begin());
}

int send_message::make(const void *data, size_t len, const groupcast_send_options &given)
{
    groupcast_send_options options;
    int err = read_options(given, options);
    if (err != 0)
        return err;
    if (options.reserved != 0)
        return -EINVAL;
    if ((options.skip == nullptr && options.skip_len != 0) ||
        (options.prefixes == nullptr && options.prefixes_len != 0))
        return -EFAULT;

    auto range = options.range;
    // Also if there are none: data that were made for no slot are for no slot
    if (options.prefixes_len != 0 || options.prefix_len != 0) {
        err = set_count(options, range);
        if (err != 0)
            return err;
        udp_grp_private own{};
        own.generation = options.generation;
        own.length = options.prefix_len;
        add(UDP_GRP_PRIVATE, bytes_of(own));
    }
    if (range.first != 0 || range.count != 0)
        add(UDP_GRP_RANGE, bytes_of(range));
    if (options.skip_len != 0)
        add(UDP_GRP_SKIP, bytes_of(options.skip, options.skip_len));
    if (options.spread != 0)
        add(UDP_GRP_SPREAD, bytes_of(options.spread));

    data_[0] = {const_cast<void *>(options.prefixes), options.prefixes_len};
    data_[1] = {const_cast<void *>(data), len};
    msg_.msg_iov = data_;
    msg_.msg_iovlen = 2;
    if (!control_.empty()) {
        msg_.msg_control = control_.data();
        msg_.msg_controllen = control_.size();
    }
    return 0;
}

} // namespace groupcast::internal
