// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// Addresses of either family. A part of groupcast.hpp, which is the header to
// include.
#pragma once

#include "groupcast.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

namespace groupcast {

namespace detail {

// What a C function returned: its result, or 0 with the error in ec.
template <typename T> T take(T result, std::error_code &ec) noexcept
{
    if (result >= 0) {
        ec.clear();
        return result;
    }
    ec.assign(static_cast<int>(-result), std::system_category());
    return 0;
}

inline void throw_if(const std::error_code &ec, const char *what)
{
    if (ec)
        throw std::system_error(ec, what);
}

// Calls the form that sets an error code, and throws it.
template <typename Call> auto checked(const char *what, Call &&call)
{
    std::error_code ec;
    if constexpr (std::is_void_v<decltype(call(ec))>) {
        call(ec);
        throw_if(ec, what);
    } else {
        auto result = call(ec);
        throw_if(ec, what);
        return result;
    }
}

} // namespace detail

// An address of either family. Two are equal as they are in a group, where an
// IPv4 address is the same as the IPv6 address that it is mapped to.
class address {
public:
    // The room that data() has, for calls that fill it in.
    static constexpr socklen_t capacity = sizeof(udp_group_addr);

    address() noexcept = default;
    address(const sockaddr_in &in) noexcept { addr_.in = in; }
    address(const sockaddr_in6 &in6) noexcept { addr_.in6 = in6; }
    explicit address(const udp_group_addr &addr) noexcept : addr_(addr) {}

    sa_family_t family() const noexcept { return addr_.family; }
    uint16_t port() const noexcept { return ntohs(addr_.in.sin_port); }
    const sockaddr *data() const noexcept { return &addr_.sa; }
    sockaddr *data() noexcept { return &addr_.sa; }
    socklen_t size() const noexcept
    {
        return family() == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    }
    // As what it is; only of that family.
    const sockaddr_in &in() const noexcept { return addr_.in; }
    const sockaddr_in6 &in6() const noexcept { return addr_.in6; }

    friend bool operator==(const address &a, const address &b) noexcept
    {
        return a.key() == b.key() && a.addr_.in.sin_port == b.addr_.in.sin_port &&
               a.scope() == b.scope();
    }

private:
    std::array<uint8_t, 16> key() const noexcept
    {
        std::array<uint8_t, 16> bytes{};
        if (family() == AF_INET6) {
            std::memcpy(bytes.data(), &addr_.in6.sin6_addr, bytes.size());
        } else {
            bytes[10] = bytes[11] = 0xff;
            std::memcpy(&bytes[12], &addr_.in.sin_addr, 4);
        }
        return bytes;
    }
    uint32_t scope() const noexcept
    {
        const auto &in6 = addr_.in6;
        bool counts = family() == AF_INET6 && (IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr) ||
                                               IN6_IS_ADDR_MC_LINKLOCAL(&in6.sin6_addr));
        return counts ? in6.sin6_scope_id : 0;
    }

    udp_group_addr addr_{};
};

// As it is written: 192.0.2.1:5004, [2001:db8::1]:5004.
inline std::string to_string(const address &addr)
{
    char text[INET6_ADDRSTRLEN] = {};
    const bool is_v6 = addr.family() == AF_INET6;
    const void *from = is_v6 ? static_cast<const void *>(&addr.in6().sin6_addr)
                             : static_cast<const void *>(&addr.in().sin_addr);
    inet_ntop(is_v6 ? AF_INET6 : AF_INET, from, text, sizeof(text));
    std::string host = is_v6 ? "[" + std::string(text) + "]" : text;
    return host + ":" + std::to_string(addr.port());
}

namespace detail {

inline int parse(int family, std::string_view addr, void *to) noexcept
{
    char text[INET6_ADDRSTRLEN] = {};
    if (addr.size() >= sizeof(text))
        return -EINVAL;
    addr.copy(text, addr.size());
    return inet_pton(family, text, to) == 1 ? 0 : -EINVAL;
}

} // namespace detail

// An IPv4 address from its dotted form.
inline sockaddr_in ipv4(std::string_view addr, uint16_t port, std::error_code &ec) noexcept
{
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    detail::take(detail::parse(AF_INET, addr, &in.sin_addr), ec);
    return ec ? sockaddr_in{} : in;
}

inline sockaddr_in ipv4(std::string_view addr, uint16_t port)
{
    return detail::checked("ipv4", [&](auto &ec) { return ipv4(addr, port, ec); });
}

// An IPv6 address from its text. The scope is the index of the link, for a
// link-local one.
inline sockaddr_in6 ipv6(std::string_view addr, uint16_t port, uint32_t scope,
                         std::error_code &ec) noexcept
{
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    in6.sin6_scope_id = scope;
    detail::take(detail::parse(AF_INET6, addr, &in6.sin6_addr), ec);
    return ec ? sockaddr_in6{} : in6;
}

inline sockaddr_in6 ipv6(std::string_view addr, uint16_t port, std::error_code &ec) noexcept
{
    return ipv6(addr, port, 0, ec);
}

inline sockaddr_in6 ipv6(std::string_view addr, uint16_t port, uint32_t scope = 0)
{
    return detail::checked("ipv6", [&](auto &ec) { return ipv6(addr, port, scope, ec); });
}

// For an argument: addresses, one or more, in whatever holds them. It refers to
// them, so it lives no longer than they do.
class address_list {
public:
    address_list() noexcept = default;
    address_list(std::initializer_list<address> addrs) noexcept
        : addrs_(addrs.begin(), addrs.size())
    {}
    address_list(const address &addr) noexcept : addrs_(&addr, 1) {}
    address_list(const sockaddr_in &addr) noexcept : address_list(std::span(&addr, 1)) {}
    address_list(const sockaddr_in6 &addr) noexcept : address_list(std::span(&addr, 1)) {}
    template <typename Range>
    requires std::is_convertible_v<const Range &, std::span<const address>>
    address_list(const Range &addrs)
    noexcept : addrs_(addrs) {}
    template <typename Range>
    requires std::is_convertible_v<const Range &, std::span<const sockaddr_in>>
    address_list(const Range &addrs)
    noexcept : packed_(std::as_bytes(std::span<const sockaddr_in>(addrs))) {}
    template <typename Range>
    requires std::is_convertible_v<const Range &, std::span<const sockaddr_in6>>
    address_list(const Range &addrs)
    noexcept : packed_(std::as_bytes(std::span<const sockaddr_in6>(addrs))) {}
    // Packed as for the C interface.
    address_list(std::span<const std::byte> packed) noexcept : packed_(packed) {}

    // As the C interface has them: what was given, or a copy in room.
    std::span<const std::byte> packed(std::vector<std::byte> &room) const
    {
        if (addrs_.empty())
            return packed_;
        room.resize(addrs_.size() * address::capacity);
        auto to = room.begin();
        for (const auto &addr : addrs_) {
            const auto *from = reinterpret_cast<const std::byte *>(addr.data());
            to = std::copy_n(from, addr.size(), to);
        }
        return {room.begin(), to};
    }

private:
    std::span<const address> addrs_;
    std::span<const std::byte> packed_;
};

} // namespace groupcast
