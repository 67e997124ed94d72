// SPDX-License-Identifier: GPL-2.0-only
// Addresses of either family, as members of a group and as destinations.
#pragma once

#include "../selftests/support.hpp"

namespace conformance {

inline sockaddr_in6 address6(const std::string &text, uint16_t port, uint32_t scope = 0)
{
    sockaddr_in6 sin6{};
    sin6.sin6_family = AF_INET6;
    sin6.sin6_port = htons(port);
    sin6.sin6_scope_id = scope;
    if (inet_pton(AF_INET6, text.c_str(), &sin6.sin6_addr) != 1)
        throw std::invalid_argument(text);
    return sin6;
}

// An IPv4 address as one of IPv6.
inline sockaddr_in6 mapped(const std::string &text, uint16_t port)
{
    return address6("::ffff:" + text, port);
}

union Address {
    Address(const sockaddr_in &sin) : in(sin) {}
    Address(const sockaddr_in6 &sin6) : in6(sin6) {}

    sockaddr any;
    sockaddr_in in;
    sockaddr_in6 in6;

    bool has_family6() const { return any.sa_family == AF_INET6; }
    // Datagrams to it are IPv6, which those to a mapped address are not.
    bool is_ip6() const { return has_family6() && !IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr); }
    socklen_t length() const { return has_family6() ? sizeof(in6) : sizeof(in); }
    uint16_t port() const { return ntohs(has_family6() ? in6.sin6_port : in.sin_port); }
    std::string text() const
    {
        char buf[INET6_ADDRSTRLEN];
        const void *of = has_family6() ? static_cast<const void *>(&in6.sin6_addr) : &in.sin_addr;
        return inet_ntop(any.sa_family, of, buf, sizeof(buf));
    }
};

class Addresses : public std::vector<Address> {
public:
    using std::vector<Address>::vector;
    Addresses(const std::vector<sockaddr_in> &addrs)
        : std::vector<Address>(addrs.begin(), addrs.end())
    {}
    // The family of a socket that can send to all of them.
    int family() const
    {
        return std::any_of(begin(), end(), [](const Address &a) { return a.has_family6(); })
                   ? AF_INET6
                   : AF_INET;
    }
    // One after the other, as options and control messages have them.
    std::string packed() const
    {
        std::string bytes;
        for (const auto &a : *this)
            bytes.append(reinterpret_cast<const char *>(&a), a.length());
        return bytes;
    }
};

inline Addresses operator+(Addresses a, const Addresses &b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

} // namespace conformance
