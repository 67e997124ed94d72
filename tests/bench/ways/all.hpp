// SPDX-License-Identifier: GPL-2.0-only
// Every way of sending, those that need libraries and privileges included.
#pragma once

#include "../ways.hpp"
#include "batched.hpp"
#include "uring.hpp"
#include "xdp.hpp"

namespace ways {

inline const std::vector<std::string_view> &all_names()
{
    static const std::vector<std::string_view> all{
        "connected", "sendto", "sendmmsg", "sendmmsg-batched", "io_uring", "af_xdp", "group"};
    return all;
}

// device is what the members are behind. Throws NotPossible where this kernel or
// the device does not have it.
inline std::unique_ptr<Way> make_any(std::string_view name, const std::string &device,
                                     std::span<const sockaddr_in> members, int sndbuf = 0)
{
    if (name == "sendmmsg-batched")
        return std::make_unique<BatchedSendMmsg>(members, sndbuf);
    if (name == "io_uring")
        return std::make_unique<IoUring>(members, sndbuf);
    if (name == "af_xdp")
        return std::make_unique<Xdp>(device, members);
    return make(name, members, sndbuf);
}

} // namespace ways
