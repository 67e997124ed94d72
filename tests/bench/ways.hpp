// SPDX-License-Identifier: GPL-2.0-only
// The ways of sending the same datagram to many receivers, behind one
// interface, for the demonstration and the measurements. These need no library;
// ways/all.hpp has the others, too.
#pragma once

#include "ways/sockets.hpp"

#include <memory>
#include <string_view>

namespace ways {

inline const std::vector<std::string_view> &names()
{
    static const std::vector<std::string_view> all{"connected", "sendto", "sendmmsg", "group"};
    return all;
}

// sndbuf 0 leaves the system's default.
inline std::unique_ptr<Way> make(std::string_view name, std::span<const sockaddr_in> members,
                                 int sndbuf = 0)
{
    if (name == "connected")
        return std::make_unique<Connected>(members, sndbuf);
    if (name == "sendto")
        return std::make_unique<SendTo>(members, sndbuf);
    if (name == "sendmmsg")
        return std::make_unique<SendMmsg>(members, sndbuf);
    if (name == "group")
        return std::make_unique<Group>(members, sndbuf);
    throw std::invalid_argument("no such way: " + std::string(name));
}

} // namespace ways
