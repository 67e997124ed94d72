// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "member_table.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace groupcast::internal {
namespace {

uint64_t key_of(const sockaddr_in &addr)
{
    return uint64_t{addr.sin_addr.s_addr} << 16U | addr.sin_port;
}

int read_addresses(std::span<const std::byte> packed, std::vector<sockaddr_in> &addrs)
{
    addrs.reserve(packed.size() / sizeof(sockaddr_in));
    for (; !packed.empty(); packed = packed.subspan(sizeof(sockaddr_in))) {
        if (packed.size() < sizeof(sockaddr_in))
            return -EINVAL;
        sockaddr_in given;
        std::memcpy(&given, packed.data(), sizeof(given));
        if (given.sin_family != AF_INET)
            return -EAFNOSUPPORT;

        // Without what a program may have left in the padding
        sockaddr_in addr{};
        addr.sin_family = AF_INET;
        addr.sin_port = given.sin_port;
        addr.sin_addr = given.sin_addr;
        addrs.push_back(addr);
    }
    return addrs.size() > UDP_GROUP_MAX_MEMBERS ? -ENOBUFS : 0;
}

} // namespace

int member_table::parse(std::span<const std::byte> packed, std::shared_ptr<member_table> &out)
{
    auto table = std::make_shared<member_table>();
    auto &addrs = table->addrs_;
    int err = read_addresses(packed, addrs);
    if (err != 0)
        return err;

    // Of two mistakes the first counts, as where addresses are taken one by
    // one: what follows a port 0 is not looked at.
    auto no_port = std::find_if(addrs.begin(), addrs.end(),
                                [](const sockaddr_in &addr) { return addr.sin_port == 0; });
    auto valid = static_cast<size_t>(no_port - addrs.begin());

    auto &index = table->index_;
    index.reserve(valid);
    for (size_t slot = 0; slot < valid; slot++)
        index.emplace_back(key_of(addrs[slot]), static_cast<uint32_t>(slot));
    std::sort(index.begin(), index.end());
    auto same = [](const key_and_slot &a, const key_and_slot &b) { return a.first == b.first; };
    if (std::adjacent_find(index.begin(), index.end(), same) != index.end())
        return -EADDRINUSE;
    if (no_port != addrs.end())
        return -EINVAL;

    table->counters_ = std::make_unique<member_counters[]>(addrs.size());
    out = std::move(table);
    return 0;
}

member_counters *member_table::find(const sockaddr_in &addr)
{
    auto key = key_of(addr);
    auto it = std::lower_bound(index_.begin(), index_.end(), key_and_slot{key, 0});
    return it != index_.end() && it->first == key ? &counters_[it->second] : nullptr;
}

udp_grpstat_member member_table::record(size_t slot) const
{
    const auto &counters = counters_[slot];
    udp_grpstat_member record{};
    record.slot = static_cast<uint32_t>(slot);
    record.error = counters.error;
    record.sent = counters.sent;
    record.failed = counters.failed;
    record.icmp = counters.icmp;
    record.addr.in = addrs_[slot];
    return record;
}

} // namespace groupcast::internal
