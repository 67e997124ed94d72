// SPDX-License-Identifier: GPL-2.0-only
// What the tests of IPv6 share: addresses, receivers, a namespace that has it.
#pragma once

#include "messages.hpp"

namespace selftest {

inline sockaddr_in6 ip6(const char *text, uint16_t port, uint32_t scope = 0)
{
    sockaddr_in6 sin6{};
    sin6.sin6_family = AF_INET6;
    sin6.sin6_port = htons(port);
    sin6.sin6_scope_id = scope;
    if (inet_pton(AF_INET6, text, &sin6.sin6_addr) != 1)
        throw std::invalid_argument(text);
    return sin6;
}

inline sockaddr_in6 mapped(const sockaddr_in &sin)
{
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &sin.sin_addr, text, sizeof(text));
    return ip6((std::string("::ffff:") + text).c_str(), ntohs(sin.sin_port));
}

// Addresses of both families, packed as the options take them.
class Packed {
public:
    template <typename T> Packed &add(const T &address)
    {
        bytes_.append(reinterpret_cast<const char *>(&address), sizeof(address));
        return *this;
    }
    const std::string &bytes() const { return bytes_; }

private:
    std::string bytes_;
};

inline long set(const Sender &s, int option, const Packed &addrs)
{
    return result(setsockopt(s.fd(), SOL_SOCKET, option, addrs.bytes().data(),
                             static_cast<socklen_t>(addrs.bytes().size())));
}

inline std::string members(const Sender &s)
{
    socklen_t len = 0;
    if (getsockopt(s.fd(), SOL_SOCKET, SO_SETGRP, nullptr, &len) < 0 && errno != ERANGE)
        throw std::runtime_error("SO_SETGRP get");
    std::string bytes(len, '\0');
    if (getsockopt(s.fd(), SOL_SOCKET, SO_SETGRP, bytes.data(), &len) < 0)
        throw std::runtime_error("SO_SETGRP get");
    return bytes;
}

using Receiver6 = ReceiverAt<sockaddr_in6>;

// A namespace that has IPv6, in which addresses can be used at once.
class Ip6 : public InNamespace {
protected:
    void SetUp() override { enable_ip6(); }
};

} // namespace selftest
