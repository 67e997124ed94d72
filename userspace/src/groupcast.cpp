// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// The C interface: what is the same for every backend, and the choice of one.

#include "groupcast/groupcast.h"
#include "backend.hpp"
#include "send_message.hpp"
#include "socket_option.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace internal = groupcast::internal;

struct groupcast_group {
    std::unique_ptr<internal::backend> backend;
    int fd;
};

namespace {

#define GROUPCAST_STRING_OF(x) #x
#define GROUPCAST_STRING(x) GROUPCAST_STRING_OF(x)

constexpr const char *version = GROUPCAST_STRING(GROUPCAST_VERSION_MAJOR) "." GROUPCAST_STRING(
    GROUPCAST_VERSION_MINOR) "." GROUPCAST_STRING(GROUPCAST_VERSION_PATCH);

// A C program cannot catch anything. Not "catch (...)": that would also stop
// the unwinding by which a thread is cancelled.
template <typename Call> auto guarded(Call call) -> decltype(call())
{
    try {
        return call();
    } catch (const std::bad_alloc &) {
        return -ENOMEM;
    } catch (const std::system_error &e) {
        return -e.code().value();
    } catch (const std::exception &) {
        return -EIO;
    }
}

// Stores the family of a socket that can have a group.
int check_socket(int fd, sa_family_t &family)
{
    const int domain = internal::get_option(fd, SOL_SOCKET, SO_DOMAIN);
    const int type = internal::get_option(fd, SOL_SOCKET, SO_TYPE);
    const int protocol = internal::get_option(fd, SOL_SOCKET, SO_PROTOCOL);
    for (int value : {domain, type, protocol})
        if (value < 0)
            return value;
    if ((domain != AF_INET && domain != AF_INET6) || type != SOCK_DGRAM || protocol != IPPROTO_UDP)
        return -EOPNOTSUPP;
    family = static_cast<sa_family_t>(domain);
    return 0;
}

// The user of a program may choose where the program left it open.
int backend_from_environment(groupcast_backend &backend)
{
    const char *name = secure_getenv("GROUPCAST_BACKEND");
    if (name == nullptr || *name == '\0')
        return 0;
    for (auto known : {GROUPCAST_AUTO, GROUPCAST_KERNEL, GROUPCAST_SENDMMSG}) {
        if (std::string_view(name) == groupcast_backend_name(known)) {
            backend = known;
            return 0;
        }
    }
    return -EINVAL;
}

int make_backend(int fd, sa_family_t family, groupcast_backend wanted,
                 std::unique_ptr<internal::backend> &out)
{
    if (wanted == GROUPCAST_AUTO) {
        int err = backend_from_environment(wanted);
        if (err != 0)
            return err;
    }
    if (wanted != GROUPCAST_SENDMMSG) {
        int err = internal::probe_kernel(fd);
        if (err == 0) {
            out = internal::make_kernel_backend(fd);
            return 0;
        }
        bool is_missing = err == -ENOPROTOOPT || err == -EOPNOTSUPP;
        if (!is_missing || wanted == GROUPCAST_KERNEL)
            return err;
    }
    out = internal::make_sendmmsg_backend(fd, family);
    return 0;
}

int change(groupcast_group *group, const void *addrs, size_t len,
           int (internal::backend::*how)(std::span<const std::byte>))
{
    if (group == nullptr)
        return -EINVAL;
    // As in the kernel, before the exact count. An option's length is an int.
    if (len > UDP_GROUP_MAX_MEMBERS * sizeof(sockaddr_in6))
        return -ENOBUFS;
    if (addrs == nullptr && len != 0)
        return -EFAULT;
    return guarded([&] {
        return (*group->backend.*how)({static_cast<const std::byte *>(addrs), len});
    });
}

} // namespace

int groupcast_new(groupcast_group **out, int fd, groupcast_backend backend)
{
    if (out == nullptr)
        return -EFAULT;
    *out = nullptr;
    if (backend != GROUPCAST_AUTO && backend != GROUPCAST_KERNEL && backend != GROUPCAST_SENDMMSG)
        return -EINVAL;

    return guarded([&] {
        sa_family_t family = AF_UNSPEC;
        int err = check_socket(fd, family);
        if (err != 0)
            return err;
        auto group = std::make_unique<groupcast_group>();
        group->fd = fd;
        err = make_backend(fd, family, backend, group->backend);
        if (err == 0)
            *out = group.release();
        return err;
    });
}

void groupcast_free(groupcast_group *group) { delete group; }

groupcast_backend groupcast_backend_of(const groupcast_group *group)
{
    return group != nullptr ? group->backend->kind() : GROUPCAST_AUTO;
}

const char *groupcast_backend_name(groupcast_backend backend)
{
    switch (backend) {
    case GROUPCAST_AUTO:
        return "auto";
    case GROUPCAST_KERNEL:
        return "kernel";
    case GROUPCAST_SENDMMSG:
        return "sendmmsg";
    }
    return "unknown";
}

int groupcast_fd(const groupcast_group *group) { return group != nullptr ? group->fd : -EINVAL; }

const char *groupcast_version() { return version; }

int groupcast_set(groupcast_group *group, const void *addrs, size_t len)
{
    return change(group, addrs, len, &internal::backend::set);
}

int groupcast_add(groupcast_group *group, const void *addrs, size_t len)
{
    return change(group, addrs, len, &internal::backend::add);
}

int groupcast_del(groupcast_group *group, const void *addrs, size_t len)
{
    return change(group, addrs, len, &internal::backend::del);
}

int groupcast_get(const groupcast_group *group, void *addrs, size_t *len)
{
    if (group == nullptr)
        return -EINVAL;
    if (len == nullptr)
        return -EFAULT;
    return guarded([&] { return group->backend->get(addrs, len); });
}

ssize_t groupcast_send(groupcast_group *group, const void *data, size_t len, int flags)
{
    if (group == nullptr)
        return -EINVAL;
    return guarded([&] { return group->backend->send(data, len, flags); });
}

ssize_t groupcast_sendmsg(groupcast_group *group, const msghdr *msg, int flags)
{
    if (group == nullptr)
        return -EINVAL;
    if (msg == nullptr)
        return -EFAULT;
    return guarded([&] { return group->backend->sendmsg(*msg, flags); });
}

ssize_t groupcast_send_with(groupcast_group *group, const void *data, size_t len, int flags,
                            const groupcast_send_options *options)
{
    if (group == nullptr)
        return -EINVAL;
    if (options == nullptr)
        return groupcast_send(group, data, len, flags);
    return guarded([&]() -> ssize_t {
        internal::send_message message;
        int err = message.make(data, len, *options);
        return err == 0 ? group->backend->sendmsg(message.get(), flags) : err;
    });
}

int groupcast_set_flags(groupcast_group *group, uint32_t flags)
{
    return group != nullptr ? group->backend->set_flags(flags) : -EINVAL;
}

int groupcast_flags(const groupcast_group *group, uint32_t *flags)
{
    if (group == nullptr)
        return -EINVAL;
    return flags != nullptr ? group->backend->flags(*flags) : -EFAULT;
}

int groupcast_stat(groupcast_group *group, udp_grpstat *totals, udp_grpstat_member *records,
                   size_t max)
{
    if (group == nullptr)
        return -EINVAL;
    if (totals == nullptr || (records == nullptr && max != 0))
        return -EFAULT;
    max = std::min<size_t>(max, UDP_GROUP_MAX_MEMBERS);
    return guarded([&] { return group->backend->stat(*totals, {records, max}); });
}
