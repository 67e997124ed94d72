// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "address.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace groupcast::internal {
namespace {

struct random_numbers {
    random_numbers()
    {
        if (getrandom(words.data(), sizeof(words), 0) != ssize_t{sizeof(words)})
            throw std::system_error(errno, std::system_category(), "getrandom");
    }
    std::array<uint64_t, 7> words{};
};

// Returns the length of the first address, or a negative errno.
int read_address(std::span<const std::byte> from, sa_family_t family, udp_group_addr &out)
{
    // No address is shorter
    if (from.size() < sizeof(out.in))
        return -EINVAL;
    out = {};
    std::memcpy(&out.family, from.data(), sizeof(out.family));
    if (out.family != AF_INET && (out.family != AF_INET6 || family != AF_INET6))
        return -EAFNOSUPPORT;

    socklen_t len = address_length(out);
    if (from.size() < len)
        return -EINVAL;
    std::memcpy(&out, from.data(), len);
    // Without what a program may have left in the padding
    if (out.family == AF_INET)
        std::memset(out.in.sin_zero, 0, sizeof(out.in.sin_zero));
    return static_cast<int>(len);
}

} // namespace

socklen_t address_length(const udp_group_addr &addr)
{
    return addr.family == AF_INET6 ? sizeof(addr.in6) : sizeof(addr.in);
}

bool has_port(const udp_group_addr &addr)
{
    // Both families have the port at the same place
    static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
    return addr.in.sin_port != 0;
}

address_key::address_key(const udp_group_addr &addr)
{
    if (addr.family == AF_INET) {
        words[2] = htonl(0xffff);
        words[3] = addr.in.sin_addr.s_addr;
    } else {
        const auto &in6 = addr.in6.sin6_addr;
        std::memcpy(words.data(), &in6, sizeof(in6));
        // Only there does the link make a difference
        if (IN6_IS_ADDR_LINKLOCAL(&in6) || IN6_IS_ADDR_MC_LINKLOCAL(&in6) ||
            IN6_IS_ADDR_MC_NODELOCAL(&in6))
            words[4] = addr.in6.sin6_scope_id;
    }
    words[5] = addr.in.sin_port;
}

// Multilinear hashing, which is strongly universal in its upper half; then that
// half is mixed, because neighbours differ by the same everywhere.
size_t address_hash::operator()(const address_key &key) const
{
    static const random_numbers random;
    uint64_t sum = random.words[6];
    for (size_t i = 0; i < key.words.size(); i++)
        sum += random.words[i] * key.words[i];
    sum >>= 32U;
    sum *= 0xbf58476d1ce4e5b9U;
    return sum ^ sum >> 32U;
}

int read_addresses(std::span<const std::byte> packed, sa_family_t family,
                   std::vector<udp_group_addr> &out)
{
    out.reserve(packed.size() / sizeof(sockaddr_in));
    while (!packed.empty()) {
        int len = read_address(packed, family, out.emplace_back());
        if (len < 0)
            return len;
        packed = packed.subspan(static_cast<size_t>(len));
    }
    return 0;
}

} // namespace groupcast::internal
