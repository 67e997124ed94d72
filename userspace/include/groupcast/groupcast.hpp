// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// libgroupcast for C++20: group unicast for UDP.
//
// Every call that can fail has two forms: one throws std::system_error, the
// other is noexcept and sets the std::error_code given last (and clears it if
// all went well). groupcast(7) is the overview.
#pragma once

#include "groupcast.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <new>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace groupcast {

enum class backend_kind {
    automatic = GROUPCAST_AUTO,
    kernel = GROUPCAST_KERNEL,
    sendmmsg = GROUPCAST_SENDMMSG,
};

struct statistics {
    udp_grpstat totals{};
    std::vector<udp_grpstat_member> members; // by slot
};

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

// An address from its dotted form.
inline sockaddr_in ipv4(std::string_view addr, uint16_t port, std::error_code &ec) noexcept
{
    sockaddr_in sin{};
    char text[INET_ADDRSTRLEN] = {};
    ec = std::make_error_code(std::errc::invalid_argument);
    if (addr.size() >= sizeof(text))
        return {};
    addr.copy(text, addr.size());
    if (inet_pton(AF_INET, text, &sin.sin_addr) != 1)
        return {};
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    ec.clear();
    return sin;
}

inline sockaddr_in ipv4(std::string_view addr, uint16_t port)
{
    return detail::checked("ipv4", [&](auto &ec) { return ipv4(addr, port, ec); });
}

// A UDP socket, closed with the object.
class socket {
public:
    socket() : socket(0) {}
    explicit socket(int type_flags) // SOCK_NONBLOCK
    {
        detail::checked("socket", [&](auto &ec) { open(type_flags, ec); });
    }
    explicit socket(std::error_code &ec) noexcept { open(0, ec); }
    socket(socket &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    socket &operator=(socket &&other) noexcept
    {
        socket taken(std::move(other)); // first, for a move to itself
        std::swap(fd_, taken.fd_);
        return *this;
    }
    socket(const socket &) = delete;
    socket &operator=(const socket &) = delete;
    ~socket()
    {
        if (fd_ >= 0)
            ::close(fd_);
    }

    int fd() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }

    void bind(const sockaddr_in &addr, std::error_code &ec) noexcept
    {
        const auto *sa = reinterpret_cast<const sockaddr *>(&addr);
        detail::take(::bind(fd_, sa, sizeof(addr)) < 0 ? -errno : 0, ec);
    }
    void bind(const sockaddr_in &addr)
    {
        detail::checked("bind", [&](auto &ec) { bind(addr, ec); });
    }

    sockaddr_in local_address(std::error_code &ec) const noexcept
    {
        sockaddr_in addr{};
        socklen_t len = sizeof(addr);
        auto *sa = reinterpret_cast<sockaddr *>(&addr);
        detail::take(::getsockname(fd_, sa, &len) < 0 ? -errno : 0, ec);
        return addr;
    }
    sockaddr_in local_address() const
    {
        return detail::checked("getsockname", [&](auto &ec) { return local_address(ec); });
    }

private:
    void open(int type_flags, std::error_code &ec) noexcept
    {
        fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | type_flags, 0);
        detail::take(fd_ < 0 ? -errno : 0, ec);
    }

    int fd_ = -1;
};

// The group of a socket, dissolved with the object. The socket must live longer.
class group {
public:
    explicit group(int fd, backend_kind backend = backend_kind::automatic)
    {
        detail::checked("groupcast_new", [&](auto &ec) { open(fd, backend, ec); });
    }
    group(int fd, std::error_code &ec) noexcept { open(fd, backend_kind::automatic, ec); }
    group(int fd, backend_kind backend, std::error_code &ec) noexcept { open(fd, backend, ec); }
    group(group &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    group &operator=(group &&other) noexcept
    {
        group taken(std::move(other)); // first, for a move to itself
        std::swap(handle_, taken.handle_);
        return *this;
    }
    group(const group &) = delete;
    group &operator=(const group &) = delete;
    ~group() { groupcast_free(handle_); }

    // False once it has been moved from, and after a failed noexcept constructor.
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    groupcast_group *handle() const noexcept { return handle_; }
    int fd() const noexcept { return groupcast_fd(handle_); }
    backend_kind backend() const noexcept
    {
        return static_cast<backend_kind>(groupcast_backend_of(handle_));
    }

    // Replaces the members; none dissolves the group.
    void set(std::span<const std::byte> packed, std::error_code &ec) noexcept
    {
        detail::take(groupcast_set(handle_, packed.data(), packed.size()), ec);
    }
    void set(std::span<const sockaddr_in> members, std::error_code &ec) noexcept
    {
        set(std::as_bytes(members), ec);
    }
    void set(std::span<const std::byte> packed)
    {
        detail::checked("groupcast_set", [&](auto &ec) { set(packed, ec); });
    }
    void set(std::span<const sockaddr_in> members) { set(std::as_bytes(members)); }
    void set(std::initializer_list<sockaddr_in> members)
    {
        set(std::span<const sockaddr_in>(members.begin(), members.size()));
    }
    void dissolve(std::error_code &ec) noexcept { set(std::span<const std::byte>(), ec); }
    void dissolve() { set(std::span<const std::byte>()); }

    std::vector<sockaddr_in> members(std::error_code &ec) const noexcept
    {
        return allocating(ec, [&] {
            std::vector<sockaddr_in> addrs;
            // Again if others have come in between
            for (;;) {
                size_t len = addrs.size() * sizeof(sockaddr_in);
                int err = groupcast_get(handle_, addrs.data(), &len);
                if (err == 0 || err == -ERANGE)
                    addrs.resize(len / sizeof(sockaddr_in));
                if (err == -ERANGE)
                    continue;
                detail::take(err, ec);
                return err == 0 ? addrs : std::vector<sockaddr_in>();
            }
        });
    }
    std::vector<sockaddr_in> members() const
    {
        return detail::checked("groupcast_get", [&](auto &ec) { return members(ec); });
    }

    // To every member. The data's length, once it has passed one of them.
    size_t send(std::span<const std::byte> data, int flags, std::error_code &ec) noexcept
    {
        auto sent = groupcast_send(handle_, data.data(), data.size(), flags);
        return static_cast<size_t>(detail::take(sent, ec));
    }
    size_t send(std::span<const std::byte> data, std::error_code &ec) noexcept
    {
        return send(data, 0, ec);
    }
    size_t send(std::string_view data, int flags, std::error_code &ec) noexcept
    {
        return send(std::as_bytes(std::span(data)), flags, ec);
    }
    size_t send(std::string_view data, std::error_code &ec) noexcept { return send(data, 0, ec); }
    size_t send(std::span<const std::byte> data, int flags = 0)
    {
        return detail::checked("groupcast_send", [&](auto &ec) { return send(data, flags, ec); });
    }
    size_t send(std::string_view data, int flags = 0)
    {
        return send(std::as_bytes(std::span(data)), flags);
    }

    size_t sendmsg(const msghdr &msg, int flags, std::error_code &ec) noexcept
    {
        return static_cast<size_t>(detail::take(groupcast_sendmsg(handle_, &msg, flags), ec));
    }
    size_t sendmsg(const msghdr &msg, int flags = 0)
    {
        return detail::checked("groupcast_sendmsg",
                               [&](auto &ec) { return sendmsg(msg, flags, ec); });
    }

    statistics stat(std::error_code &ec) const noexcept
    {
        return allocating(ec, [&] {
            statistics stat;
            auto &members = stat.members;
            for (;;) {
                size_t max = members.size();
                int n = groupcast_stat(handle_, &stat.totals, members.data(), max);
                // Again if others have come in between
                bool all = n < 0 || stat.totals.members <= max;
                members.resize(all ? static_cast<size_t>(detail::take(n, ec))
                                   : stat.totals.members);
                if (all)
                    return stat;
            }
        });
    }
    statistics stat() const
    {
        return detail::checked("groupcast_stat", [&](auto &ec) { return stat(ec); });
    }

private:
    void open(int fd, backend_kind backend, std::error_code &ec) noexcept
    {
        detail::take(groupcast_new(&handle_, fd, static_cast<groupcast_backend>(backend)), ec);
    }

    // For what makes a vector: without memory it is empty.
    template <typename Call>
    static auto allocating(std::error_code &ec, Call &&call) noexcept -> decltype(call())
    {
        try {
            return call();
        } catch (const std::bad_alloc &) {
            ec = std::make_error_code(std::errc::not_enough_memory);
            return {};
        }
    }

    groupcast_group *handle_ = nullptr;
};

} // namespace groupcast
