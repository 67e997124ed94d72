// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// The C interface: what is the same for every backend, and the choice of one.

#include "groupcast/groupcast.h"
#include "backend.hpp"

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

int socket_option(int fd, int name, int &value)
{
    socklen_t len = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -errno : 0;
}

int check_socket(int fd)
{
    int domain = 0;
    int type = 0;
    int protocol = 0;
    int err = socket_option(fd, SO_DOMAIN, domain);
    if (err == 0)
        err = socket_option(fd, SO_TYPE, type);
    if (err == 0)
        err = socket_option(fd, SO_PROTOCOL, protocol);
    if (err != 0)
        return err;
    if (domain != AF_INET || type != SOCK_DGRAM || protocol != IPPROTO_UDP)
        return -EOPNOTSUPP;
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

int make_backend(int fd, groupcast_backend wanted, std::unique_ptr<internal::backend> &out)
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
        if (err != -ENOPROTOOPT || wanted == GROUPCAST_KERNEL)
            return err;
    }
    out = internal::make_sendmmsg_backend(fd);
    return 0;
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
        int err = check_socket(fd);
        if (err != 0)
            return err;
        auto group = std::make_unique<groupcast_group>();
        group->fd = fd;
        err = make_backend(fd, backend, group->backend);
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
    if (group == nullptr)
        return -EINVAL;
    // As in the kernel, before the exact count. An option's length is an int.
    if (len > UDP_GROUP_MAX_MEMBERS * sizeof(sockaddr_in6))
        return -ENOBUFS;
    if (addrs == nullptr && len != 0)
        return -EFAULT;
    return guarded([&] {
        return group->backend->set({static_cast<const std::byte *>(addrs), len});
    });
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
