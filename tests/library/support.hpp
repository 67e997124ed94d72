// SPDX-License-Identifier: GPL-2.0-only
// What the library's tests share: receivers, and a socket with its group.
#pragma once

#include <groupcast/groupcast.hpp>

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// Beside its type, where lookup by argument finds it.
inline bool operator==(const sockaddr_in &a, const sockaddr_in &b)
{
    return a.sin_family == b.sin_family && a.sin_port == b.sin_port &&
           a.sin_addr.s_addr == b.sin_addr.s_addr;
}

namespace library_test {

// The backend that all tests run on, as GROUPCAST_BACKEND asks.
inline std::string_view wanted_backend()
{
    const char *name = std::getenv("GROUPCAST_BACKEND");
    return name != nullptr ? name : "auto";
}

inline const sockaddr *generic(const sockaddr_in &addr)
{
    return reinterpret_cast<const sockaddr *>(&addr);
}

inline long set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

inline int get_option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    getsockopt(fd, level, name, &value, &len);
    return value;
}

class Receiver {
public:
    explicit Receiver(std::string_view ip = "127.0.0.1")
    {
        timeval timeout{};
        timeout.tv_sec = 5;
        socket_.bind(groupcast::ipv4(ip, 0));
        address_ = socket_.local_address().in();
        if (setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
            throw std::runtime_error("SO_RCVTIMEO");
    }
    int fd() const { return socket_.fd(); }
    const sockaddr_in &address() const { return address_; }

    // The next datagram; waits for it.
    std::optional<std::string> next(int flags = 0) const
    {
        std::string data(65536, '\0');
        ssize_t n = recv(fd(), data.data(), data.size(), flags);
        if (n < 0)
            return std::nullopt;
        data.resize(static_cast<size_t>(n));
        return data;
    }
    // Loopback delivers within the send: what is not there will not come.
    bool empty() const { return !next(MSG_DONTWAIT); }

private:
    groupcast::socket socket_;
    sockaddr_in address_{};
};

inline std::vector<sockaddr_in> addresses(std::span<const Receiver> receivers)
{
    std::vector<sockaddr_in> addrs;
    for (const auto &receiver : receivers)
        addrs.push_back(receiver.address());
    return addrs;
}

// Distinct addresses that nobody needs to be at.
inline std::vector<sockaddr_in> many(size_t n)
{
    std::vector<sockaddr_in> addrs(n);
    for (size_t i = 0; i < n; i++) {
        addrs[i].sin_family = AF_INET;
        addrs[i].sin_port = htons(9);
        addrs[i].sin_addr.s_addr = htonl(0x0a000001U + static_cast<uint32_t>(i));
    }
    return addrs;
}

// An address of this host where nobody listens: a port is bound while others
// are chosen, and closed when they are.
inline std::vector<sockaddr_in> dead_addresses(size_t n)
{
    std::vector<Receiver> receivers(n);
    return addresses(receivers);
}

// A socket and its group. Everything returns what the C interface does.
class Sender {
public:
    Sender() : group_(socket_.fd()) {}
    int fd() const { return socket_.fd(); }
    groupcast_group *group() const { return group_.handle(); }
    bool in_kernel() const { return group_.backend() == groupcast::backend_kind::kernel; }

    int set_raw(const void *addrs, size_t len) const { return groupcast_set(group(), addrs, len); }
    int set(std::span<const sockaddr_in> addrs) const
    {
        return set_raw(addrs.data(), addrs.size_bytes());
    }
    ssize_t send(std::string_view data, int flags = 0) const
    {
        return groupcast_send(group(), data.data(), data.size(), flags);
    }
    ssize_t send_to(std::string_view data, const sockaddr_in &dest, int flags = 0) const
    {
        iovec iov{const_cast<char *>(data.data()), data.size()};
        sockaddr_in name = dest;
        msghdr msg{};
        msg.msg_name = &name;
        msg.msg_namelen = sizeof(name);
        msg.msg_iov = &iov;
        msg.msg_iovlen = 1;
        return groupcast_sendmsg(group(), &msg, flags);
    }
    // IPv4 members
    std::vector<sockaddr_in> members() const
    {
        std::vector<sockaddr_in> addrs;
        for (const auto &member : group_.members())
            addrs.push_back(member.in());
        return addrs;
    }
    groupcast::statistics stat() const { return group_.stat(); }
    uint64_t generation() const { return stat().totals.generation; }

private:
    groupcast::socket socket_;
    groupcast::group group_;
};

} // namespace library_test
