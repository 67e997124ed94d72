// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// What makes one send out of many: the kernel, or a loop in the library.
#pragma once

#include "groupcast/groupcast.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace groupcast::internal {

// Everything returns what the C interface does: 0 or more, or a negative errno.
class backend {
public:
    backend() = default;
    backend(const backend &) = delete;
    backend &operator=(const backend &) = delete;
    virtual ~backend() = default; // dissolves the group

    virtual groupcast_backend kind() const = 0;
    virtual int set(std::span<const std::byte> addrs) = 0;
    virtual int add(std::span<const std::byte> addrs) = 0;
    virtual int del(std::span<const std::byte> addrs) = 0;
    virtual int set_flags(uint32_t flags) = 0;
    virtual int flags(uint32_t &out) const = 0;
    virtual int get(void *addrs, size_t *len) const = 0;
    virtual ssize_t send(const void *data, size_t len, int flags) = 0;
    virtual ssize_t sendmsg(const msghdr &msg, int flags) = 0;
    virtual int stat(udp_grpstat &totals, std::span<udp_grpstat_member> records) = 0;
};

// 0 if the kernel has groups, -ENOPROTOOPT if it has not, -EOPNOTSUPP if it has
// none for such a socket, or another error.
int probe_kernel(int fd);

std::unique_ptr<backend> make_kernel_backend(int fd);
std::unique_ptr<backend> make_sendmmsg_backend(int fd, sa_family_t family);

} // namespace groupcast::internal
