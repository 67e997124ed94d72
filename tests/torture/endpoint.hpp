// SPDX-License-Identifier: GPL-2.0-only
// Sockets and addresses of either family: here a member is its packed bytes.
#pragma once

#include "../selftests/support.hpp"

namespace torture {

using selftest::Fd;
using selftest::result;
using selftest::run;

// An address as the options take it.
inline std::string packed(const std::string &ip, uint16_t port)
{
    if (ip.find(':') == std::string::npos) {
        auto sin = selftest::address(ip, port);
        return {reinterpret_cast<const char *>(&sin), sizeof(sin)};
    }
    sockaddr_in6 sin6{};
    sin6.sin6_family = AF_INET6;
    sin6.sin6_port = htons(port);
    if (inet_pton(AF_INET6, ip.c_str(), &sin6.sin6_addr) != 1)
        throw std::invalid_argument(ip);
    return {reinterpret_cast<const char *>(&sin6), sizeof(sin6)};
}

inline const sockaddr *as_sockaddr(const std::string &addr)
{
    return reinterpret_cast<const sockaddr *>(addr.data());
}

inline std::string join(const std::vector<std::string> &addrs)
{
    std::string all;
    for (const auto &addr : addrs)
        all += addr;
    return all;
}

// Somebody who gets datagrams.
class Endpoint {
public:
    explicit Endpoint(const std::string &ip, uint16_t port = 0)
        : fd_(socket(as_sockaddr(packed(ip, 0))->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
          address_(packed(ip, port))
    {
        auto len = static_cast<socklen_t>(address_.size());
        int large = 8 << 20;
        if (bind(fd_.get(), as_sockaddr(address_), len) < 0 ||
            getsockname(fd_.get(), reinterpret_cast<sockaddr *>(address_.data()), &len) < 0 ||
            setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large)) < 0)
            throw std::runtime_error("endpoint " + ip);
    }
    int fd() const { return fd_.get(); }
    const std::string &address() const { return address_; }
    // The next datagram, if there is one.
    std::optional<std::string> next() const
    {
        std::string buf(65536, '\0');
        ssize_t n = recv(fd_.get(), buf.data(), buf.size(), MSG_DONTWAIT);
        if (n < 0)
            return std::nullopt;
        buf.resize(static_cast<size_t>(n));
        return buf;
    }

private:
    Fd fd_;
    std::string address_;
};

inline long change(int fd, int option, const std::string &addrs)
{
    return result(
        setsockopt(fd, SOL_SOCKET, option, addrs.data(), static_cast<socklen_t>(addrs.size())));
}

// The loopback device of this namespace has IPv6, at once.
inline void with_ip6()
{
    for (const char *what : {"all", "default", "lo"})
        std::ofstream(std::string("/proc/sys/net/ipv6/conf/") + what + "/disable_ipv6") << 0;
    std::ofstream("/proc/sys/net/ipv6/conf/default/accept_dad") << 0;
    run("ip link set lo down; ip link set lo up");
}

} // namespace torture
