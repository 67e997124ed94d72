// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// libgroupcast for C++20: group unicast for UDP.
//
// Every call that can fail has two forms: one throws std::system_error, the
// other is noexcept and sets the std::error_code given last (and clears it if
// all went well). groupcast(7) is the overview.
#pragma once

#include "address.hpp"
#include "groupcast.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <ranges>
#include <span>
#include <string_view>
#include <system_error>
#include <type_traits>
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

enum class ip { v4 = AF_INET, v6 = AF_INET6 };

// A UDP socket, closed with the object.
class socket {
public:
    socket() : socket(ip::v4) {}
    explicit socket(int type_flags) : socket(ip::v4, type_flags) {} // SOCK_NONBLOCK
    explicit socket(ip version, int type_flags = 0)
    {
        detail::checked("socket", [&](auto &ec) { open(version, type_flags, ec); });
    }
    explicit socket(std::error_code &ec) noexcept { open(ip::v4, 0, ec); }
    socket(ip version, std::error_code &ec) noexcept { open(version, 0, ec); }
    socket(ip version, int type_flags, std::error_code &ec) noexcept
    {
        open(version, type_flags, ec);
    }
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

    void bind(const address &addr, std::error_code &ec) noexcept
    {
        detail::take(::bind(fd_, addr.data(), addr.size()) < 0 ? -errno : 0, ec);
    }
    void bind(const address &addr)
    {
        detail::checked("bind", [&](auto &ec) { bind(addr, ec); });
    }

    address local_address(std::error_code &ec) const noexcept
    {
        address addr;
        socklen_t len = address::capacity;
        detail::take(::getsockname(fd_, addr.data(), &len) < 0 ? -errno : 0, ec);
        return addr;
    }
    address local_address() const
    {
        return detail::checked("getsockname", [&](auto &ec) { return local_address(ec); });
    }

private:
    void open(ip version, int type_flags, std::error_code &ec) noexcept
    {
        fd_ = ::socket(static_cast<int>(version), SOCK_DGRAM | SOCK_CLOEXEC | type_flags, 0);
        detail::take(fd_ < 0 ? -errno : 0, ec);
    }

    int fd_ = -1;
};

// For an argument: data, as bytes or as text.
class buffer {
public:
    template <typename Text>
    requires std::is_convertible_v<const Text &, std::string_view> buffer(const Text &text)
    noexcept : bytes_(std::as_bytes(std::span(std::string_view(text)))) {}
    template <typename Range>
    requires std::is_convertible_v<const Range &, std::span<const std::byte>>
    buffer(const Range &bytes)
    noexcept : bytes_(bytes) {}
    const void *data() const noexcept { return bytes_.data(); }
    size_t size() const noexcept { return bytes_.size(); }

private:
    std::span<const std::byte> bytes_;
};

// What is each slot's own in a send, and goes before the data. It was made for
// one generation of the group.
struct prefixes {
    // Of an array, a vector or the like.
    template <std::ranges::contiguous_range Range>
    requires std::is_trivially_copyable_v<std::ranges::range_value_t<Range>>
    static prefixes of(const Range &parts, uint64_t generation) noexcept
    {
        const std::span all(parts);
        return {std::as_bytes(all), sizeof(all[0]), generation};
    }

    std::span<const std::byte> bytes{};
    uint32_t length = 0; // of each
    uint64_t generation = 0;
};

// What a single send is asked for: send(data, {.skip = from, .spread = 10ms}).
struct send_options {
    address_list skip{};   // who is left out
    udp_grp_range range{}; // the slots that it is for, if not all: {first, count}
    groupcast::prefixes prefixes{};
    std::chrono::nanoseconds spread{}; // over which it departs
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
    void set(const address_list &members, std::error_code &ec) noexcept
    {
        change(groupcast_set, members, ec);
    }
    void set(const address_list &members)
    {
        detail::checked("groupcast_set", [&](auto &ec) { set(members, ec); });
    }
    void dissolve(std::error_code &ec) noexcept { set(address_list(), ec); }
    void dissolve() { set(address_list()); }

    // These join, or leave; all or none.
    void add(const address_list &members, std::error_code &ec) noexcept
    {
        change(groupcast_add, members, ec);
    }
    void add(const address_list &members)
    {
        detail::checked("groupcast_add", [&](auto &ec) { add(members, ec); });
    }
    void del(const address_list &members, std::error_code &ec) noexcept
    {
        change(groupcast_del, members, ec);
    }
    void del(const address_list &members)
    {
        detail::checked("groupcast_del", [&](auto &ec) { del(members, ec); });
    }

    std::vector<address> members(std::error_code &ec) const noexcept
    {
        return allocating(ec, [&] {
            std::vector<std::byte> packed;
            int err = 0;
            // Again if others have come in between
            do {
                size_t len = packed.size();
                err = groupcast_get(handle_, packed.data(), &len);
                if (err == 0 || err == -ERANGE)
                    packed.resize(len);
            } while (err == -ERANGE);
            detail::take(err, ec);
            return err == 0 ? unpack(packed) : std::vector<address>();
        });
    }
    std::vector<address> members() const
    {
        return detail::checked("groupcast_get", [&](auto &ec) { return members(ec); });
    }

    // GRP_F_COUNT
    void set_flags(uint32_t flags, std::error_code &ec) noexcept
    {
        detail::take(groupcast_set_flags(handle_, flags), ec);
    }
    void set_flags(uint32_t flags)
    {
        detail::checked("groupcast_set_flags", [&](auto &ec) { set_flags(flags, ec); });
    }
    uint32_t flags(std::error_code &ec) const noexcept
    {
        uint32_t flags = 0;
        detail::take(groupcast_flags(handle_, &flags), ec);
        return flags;
    }
    uint32_t flags() const
    {
        return detail::checked("groupcast_flags", [&](auto &ec) { return flags(ec); });
    }

    // To every member. The data's length, once it has passed one of them; with
    // GRP_F_COUNT the number of slots that it has passed.
    size_t send(const buffer &data, int flags, std::error_code &ec) noexcept
    {
        auto sent = groupcast_send(handle_, data.data(), data.size(), flags);
        return static_cast<size_t>(detail::take(sent, ec));
    }
    size_t send(const buffer &data, std::error_code &ec) noexcept { return send(data, 0, ec); }
    size_t send(const buffer &data, int flags = 0)
    {
        return detail::checked("groupcast_send", [&](auto &ec) { return send(data, flags, ec); });
    }

    // As it is asked for. The length includes that of the prefixes.
    size_t send(const buffer &data, const send_options &options, int flags,
                std::error_code &ec) noexcept
    {
        return allocating(ec, [&] {
            std::vector<std::byte> room;
            auto skip = options.skip.packed(room);
            groupcast_send_options with{};
            with.size = sizeof(with);
            with.range = options.range;
            with.skip = skip.data();
            with.skip_len = skip.size();
            with.prefixes = options.prefixes.bytes.data();
            with.prefixes_len = options.prefixes.bytes.size();
            with.prefix_len = options.prefixes.length;
            with.generation = options.prefixes.generation;
            with.spread = static_cast<uint64_t>(options.spread.count());
            auto sent = groupcast_send_with(handle_, data.data(), data.size(), flags, &with);
            return static_cast<size_t>(detail::take(sent, ec));
        });
    }
    size_t send(const buffer &data, const send_options &options, std::error_code &ec) noexcept
    {
        return send(data, options, 0, ec);
    }
    size_t send(const buffer &data, const send_options &options, int flags = 0)
    {
        return detail::checked("groupcast_send_with",
                               [&](auto &ec) { return send(data, options, flags, ec); });
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

    // The part of it that is not about single members.
    udp_grpstat totals(std::error_code &ec) const noexcept
    {
        udp_grpstat totals{};
        detail::take(groupcast_stat(handle_, &totals, nullptr, 0), ec);
        return totals;
    }
    udp_grpstat totals() const
    {
        return detail::checked("groupcast_stat", [&](auto &ec) { return totals(ec); });
    }

private:
    void open(int fd, backend_kind backend, std::error_code &ec) noexcept
    {
        detail::take(groupcast_new(&handle_, fd, static_cast<groupcast_backend>(backend)), ec);
    }

    void change(int (*how)(groupcast_group *, const void *, size_t), const address_list &members,
                std::error_code &ec) noexcept
    {
        allocating(ec, [&] {
            std::vector<std::byte> room;
            auto packed = members.packed(room);
            return detail::take(how(handle_, packed.data(), packed.size()), ec);
        });
    }

    static std::vector<address> unpack(std::span<const std::byte> packed)
    {
        std::vector<address> addrs;
        while (!packed.empty()) {
            udp_group_addr addr{};
            std::memcpy(&addr, packed.data(), sizeof(addr.in));
            if (addr.family == AF_INET6)
                std::memcpy(&addr, packed.data(), sizeof(addr.in6));
            packed = packed.subspan(addrs.emplace_back(addr).size());
        }
        return addrs;
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
