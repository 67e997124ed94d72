// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// The kernel's own groups: the socket options of udp_group(7).

#include "backend.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <vector>

namespace groupcast::internal {
namespace {

class kernel_backend final : public backend {
public:
    explicit kernel_backend(int fd) : fd_(fd) {}
    kernel_backend(const kernel_backend &) = delete;
    kernel_backend &operator=(const kernel_backend &) = delete;
    ~kernel_backend() override
    {
        setsockopt(fd_, SOL_SOCKET, SO_SETGRP, nullptr, 0);
        set_flags(0);
    }

    groupcast_backend kind() const override { return GROUPCAST_KERNEL; }
    int set(std::span<const std::byte> addrs) override { return change(SO_SETGRP, addrs); }
    int add(std::span<const std::byte> addrs) override { return change(SO_ADDGRP, addrs); }
    int del(std::span<const std::byte> addrs) override { return change(SO_DELGRP, addrs); }
    int set_flags(uint32_t flags) override
    {
        return change(SO_GRPFLAGS, std::as_bytes(std::span(&flags, 1)));
    }
    int flags(uint32_t &out) const override;
    int get(void *addrs, size_t *len) const override;
    ssize_t send(const void *data, size_t len, int flags) override;
    ssize_t sendmsg(const msghdr &msg, int flags) override;
    int stat(udp_grpstat &totals, std::span<udp_grpstat_member> records) override;

private:
    int change(int option, std::span<const std::byte> value);

    int fd_;
};

int kernel_backend::change(int option, std::span<const std::byte> value)
{
    auto len = static_cast<socklen_t>(value.size());
    return setsockopt(fd_, SOL_SOCKET, option, value.data(), len) < 0 ? -errno : 0;
}

int kernel_backend::flags(uint32_t &out) const
{
    socklen_t len = sizeof(out);
    return getsockopt(fd_, SOL_SOCKET, SO_GRPFLAGS, &out, &len) < 0 ? -errno : 0;
}

int kernel_backend::get(void *addrs, size_t *len) const
{
    auto room = static_cast<socklen_t>(std::min<size_t>(*len, INT_MAX));
    int err = getsockopt(fd_, SOL_SOCKET, SO_SETGRP, addrs, &room) < 0 ? -errno : 0;
    if (err == 0 || err == -ERANGE)
        *len = room;
    return err;
}

ssize_t kernel_backend::send(const void *data, size_t len, int flags)
{
    ssize_t sent = ::send(fd_, data, len, flags);
    return sent < 0 ? -errno : sent;
}

ssize_t kernel_backend::sendmsg(const msghdr &msg, int flags)
{
    ssize_t sent = ::sendmsg(fd_, &msg, flags);
    return sent < 0 ? -errno : sent;
}

// The totals and the records come in one piece, so that they are of one moment.
int kernel_backend::stat(udp_grpstat &totals, std::span<udp_grpstat_member> records)
{
    std::vector<std::byte> buf(sizeof(totals) + records.size_bytes());
    udp_grpstat head{};
    head.size = sizeof(head);
    head.member_size = records.empty() ? 0 : sizeof(udp_grpstat_member);
    std::memcpy(buf.data(), &head, sizeof(head));

    auto len = static_cast<socklen_t>(buf.size());
    if (getsockopt(fd_, SOL_SOCKET, SO_GRPSTAT, buf.data(), &len) < 0)
        return -errno;

    // What a kernel older than this library does not know of stays 0
    std::memcpy(&head, buf.data(), sizeof(head));
    const std::byte *from = buf.data() + sizeof(head);
    size_t known = std::min<size_t>(head.member_size, sizeof(udp_grpstat_member));
    for (auto &record : records.first(std::min<size_t>(head.records, records.size()))) {
        record = {};
        std::memcpy(&record, from, known);
        from += head.member_size;
    }
    totals = head;
    return static_cast<int>(head.records);
}

} // namespace

int probe_kernel(int fd)
{
    udp_grpstat head{};
    head.size = sizeof(head);
    socklen_t len = sizeof(head);
    return getsockopt(fd, SOL_SOCKET, SO_GRPSTAT, &head, &len) < 0 ? -errno : 0;
}

std::unique_ptr<backend> make_kernel_backend(int fd)
{
    return std::make_unique<kernel_backend>(fd);
}

} // namespace groupcast::internal
