// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// The ways to send one datagram to many receivers that are compared.
#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace capacity {

class way {
public:
    way() = default;
    way(const way &) = delete;
    way &operator=(const way &) = delete;
    virtual ~way() = default;
    // To every member; throws std::system_error.
    virtual void send(std::span<const std::byte> data) = 0;
};

inline constexpr std::string_view way_names[] = {"connected", "sendmmsg", "group"};

std::unique_ptr<way> make_way(std::string_view name, std::span<const sockaddr_in> members);

// As many members as the way can have here. What a program that sends so meets
// as well: connected sockets need a local port and a descriptor each.
size_t most_members(std::string_view name);

} // namespace capacity
