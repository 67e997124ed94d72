// SPDX-License-Identifier: GPL-2.0-only
// What the library's tests share: receivers, and a socket with its group.
#pragma once

#include "../patience.hpp"

#include <groupcast/groupcast.hpp>

#include <gtest/gtest.h>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

// Beside its type, where lookup by argument finds it.
inline bool operator==(const sockaddr_in &a, const sockaddr_in &b)
{
    return a.sin_family == b.sin_family && a.sin_port == b.sin_port &&
           a.sin_addr.s_addr == b.sin_addr.s_addr;
}

namespace library_test {

using namespace patience_of_tests;

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
        socket_.bind(groupcast::ipv4(ip, 0));
        address_ = socket_.local_address().in();
        set_patience(fd());
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
    explicit Sender(groupcast::ip version = groupcast::ip::v4)
        : socket_(version), group_(socket_.fd())
    {}
    int fd() const { return socket_.fd(); }
    groupcast_group *group() const { return group_.handle(); }
    bool in_kernel() const { return group_.backend() == groupcast::backend_kind::kernel; }

    int set_raw(const void *addrs, size_t len) const { return groupcast_set(group(), addrs, len); }
    int set(const groupcast::address_list &addrs)
    {
        return result([&](auto &ec) { group_.set(addrs, ec); });
    }
    int add(const groupcast::address_list &addrs)
    {
        return result([&](auto &ec) { group_.add(addrs, ec); });
    }
    int del(const groupcast::address_list &addrs)
    {
        return result([&](auto &ec) { group_.del(addrs, ec); });
    }
    int set_flags(uint32_t flags) const { return groupcast_set_flags(group(), flags); }

    ssize_t send_with(std::string_view data, const groupcast::send_options &options, int flags = 0)
    {
        size_t sent = 0;
        int err = result([&](auto &ec) { sent = group_.send(data, options, flags, ec); });
        return err < 0 ? err : static_cast<ssize_t>(sent);
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
    udp_grpstat totals() const { return group_.totals(); }
    uint64_t generation() const { return totals().generation; }
    // Waits for that many ICMP errors: those of the last send may still be on their way.
    bool await_icmp(uint64_t n) const
    {
        return eventually([&] { return totals().icmp >= n; });
    }

    // Who is in which slot.
    std::vector<std::pair<uint32_t, groupcast::address>> slots() const
    {
        std::vector<std::pair<uint32_t, groupcast::address>> slots;
        for (const auto &m : stat().members)
            slots.emplace_back(m.slot, groupcast::address(m.addr));
        return slots;
    }

private:
    template <typename Call> static int result(Call call)
    {
        std::error_code ec;
        call(ec);
        return -ec.value();
    }

    groupcast::socket socket_;
    groupcast::group group_;
};

// A message with control messages, to a group.
class Message {
public:
    explicit Message(std::string_view data) : data_(data) {}
    template <typename T> Message &&add(int level, int type, const T &value) &&
    {
        return std::move(*this).add_bytes(level, type, std::as_bytes(std::span(&value, 1)));
    }
    Message &&add_bytes(int level, int type, std::span<const std::byte> value) &&
    {
        const size_t at = control_.size();
        cmsghdr cmsg{};
        cmsg.cmsg_level = level;
        cmsg.cmsg_type = type;
        cmsg.cmsg_len = CMSG_LEN(value.size());
        control_.resize(at + CMSG_SPACE(value.size()));
        std::memcpy(&control_[at], &cmsg, sizeof(cmsg));
        std::ranges::copy(value, &control_[at] + CMSG_LEN(0));
        return std::move(*this);
    }
    // Without so many of the last bytes.
    Message &&cut(size_t n) &&
    {
        control_.resize(control_.size() - n);
        return std::move(*this);
    }
    Message &&to(const sockaddr_in &dest) &&
    {
        dest_ = dest;
        return std::move(*this);
    }
    ssize_t send(const Sender &sender, int flags = 0)
    {
        iovec iov{data_.data(), data_.size()};
        msghdr msg{};
        msg.msg_iov = &iov;
        msg.msg_iovlen = 1;
        msg.msg_control = control_.data();
        msg.msg_controllen = control_.size();
        if (dest_) {
            msg.msg_name = &*dest_;
            msg.msg_namelen = sizeof(*dest_);
        }
        return groupcast_sendmsg(sender.group(), &msg, flags);
    }

private:
    std::string data_;
    std::vector<std::byte> control_;
    std::optional<sockaddr_in> dest_;
};

} // namespace library_test
