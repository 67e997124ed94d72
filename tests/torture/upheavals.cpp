// SPDX-License-Identifier: GPL-2.0-only
// What is done to the socket itself, and to those who have it.

#include "operation.hpp"

#include <csignal>
#include <sys/un.h>

namespace torture {
namespace {

void close_it(Act &a)
{
    if (a.victim->is_counted()) {
        a.victims.replace(a.random);
        a.census.count("replaced", 0, {});
        return;
    }
    a.victim->close_in_use();
    a.census.count("close in use", 0, {});
}

void use(int fd)
{
    char byte = 's';
    send(fd, &byte, 1, MSG_DONTWAIT);
}

void dup_it(Act &a)
{
    if (a.victim->is_counted())
        return;
    Fd other(dup(a.fd()));
    a.census.count("dup", other.get() < 0 ? -errno : 0, {});
    use(other.get());
}

// A child that uses it and ends, or is killed in the middle of a send.
void fork_it(Act &a)
{
    if (a.victim->is_counted())
        return;
    bool kill_it = a.pick(2);
    auto addr = a.one();
    int fd = a.fd();
    pid_t pid = fork();
    if (pid == 0) {
        // nothing but system calls: the others' locks are as they were
        for (;;) {
            setsockopt(fd, SOL_SOCKET, SO_ADDGRP, addr.data(), static_cast<socklen_t>(addr.size()));
            send(fd, "s", 1, 0);
            setsockopt(fd, SOL_SOCKET, SO_DELGRP, addr.data(), static_cast<socklen_t>(addr.size()));
            if (!kill_it)
                _exit(0);
        }
    }
    a.census.count("fork", pid < 0 ? -errno : 0, {EAGAIN, EINTR});
    if (pid < 0)
        return;
    if (kill_it) {
        usleep(a.pick(20000));
        a.census.count("killed in a send", result(kill(pid, SIGKILL)), {});
    }
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR)
        ;
}

void pass_on(Act &a)
{
    if (a.victim->is_counted())
        return;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
        return;
    Fd from(pair[0]), to(pair[1]);
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    char byte = 0;
    iovec iov{&byte, 1};
    msghdr msg{};
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control;
    msg.msg_controllen = sizeof(control);
    auto c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    int fd = a.fd();
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    a.census.count("SCM_RIGHTS", result(sendmsg(from.get(), &msg, 0)), {EINTR});
    msg.msg_controllen = sizeof(control);
    // every other one is freed with the message that it is in
    if (a.pick(2) || recvmsg(to.get(), &msg, MSG_DONTWAIT) < 0 || !(c = CMSG_FIRSTHDR(&msg)))
        return;
    memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    use(fd);
    close(fd);
}

void connect_it(Act &a)
{
    auto to = a.one();
    bool away = a.victim->is_counted() || a.pick(2);
    sockaddr none{};
    none.sa_family = AF_UNSPEC;
    if (away)
        a.census.count("disconnect", result(connect(a.fd(), &none, sizeof(none))), {});
    else
        a.census.count(
            "connect", result(connect(a.fd(), as_sockaddr(to), static_cast<socklen_t>(to.size()))),
            {EISCONN, EINVAL, ENETUNREACH, EHOSTUNREACH, EACCES, ENODEV, EADDRNOTAVAIL, EINTR});
}

void bind_it(Act &a)
{
    auto any = packed(a.victim->family() == AF_INET ? "0.0.0.0" : "::", 0);
    a.census.count("bind",
                   result(bind(a.fd(), as_sockaddr(any), static_cast<socklen_t>(any.size()))),
                   {EINVAL, EADDRINUSE});
}

void bind_to_device(Act &a)
{
    const std::string devices[] = {"", "", "", "d0", "lo", "near", "slow", "q0", "q1"};
    const auto &d = devices[a.pick(9)];
    a.census.count("SO_BINDTODEVICE",
                   result(setsockopt(a.fd(), SOL_SOCKET, SO_BINDTODEVICE, d.data(),
                                     static_cast<socklen_t>(d.size()))),
                   {ENODEV});
}

void option(Act &a)
{
    bool is_ip4 = a.victim->family() == AF_INET;
    const struct {
        const char *name;
        int level, option, value;
    } options[] = {
        {"SO_MARK", SOL_SOCKET, SO_MARK, static_cast<int>(a.pick(3))},
        {"IP_TOS", is_ip4 ? SOL_IP : SOL_IPV6, is_ip4 ? IP_TOS : IPV6_TCLASS,
         static_cast<int>(a.pick(8) * 4)},
        {"IP_RECVERR", is_ip4 ? SOL_IP : SOL_IPV6, is_ip4 ? IP_RECVERR : IPV6_RECVERR,
         static_cast<int>(a.pick(2))},
        {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, static_cast<int>(a.pick(2) ? 6000 : 400000)},
        {"SO_BROADCAST", SOL_SOCKET, SO_BROADCAST, static_cast<int>(a.pick(2))},
    };
    const auto &o = options[a.pick(5)];
    a.census.count(o.name, result(setsockopt(a.fd(), o.level, o.option, &o.value, sizeof(int))),
                   {});
}

void read_errors(Act &a)
{
    alignas(cmsghdr) char control[1024];
    char bytes[256];
    iovec iov{bytes, sizeof(bytes)};
    long n = 0;
    for (int i = 0; i < 100 && n >= 0; i++) {
        msghdr msg{};
        msg.msg_iov = &iov;
        msg.msg_iovlen = 1;
        msg.msg_control = control;
        msg.msg_controllen = sizeof(control);
        n = a.census.count("MSG_ERRQUEUE",
                           result(recvmsg(a.fd(), &msg, MSG_ERRQUEUE | MSG_DONTWAIT)), {EAGAIN});
    }
}

void cork(Act &a)
{
    int on = static_cast<int>(a.pick(4) == 0);
    if (a.victim->is_corked())
        a.census.count("UDP_CORK", result(setsockopt(a.fd(), SOL_UDP, UDP_CORK, &on, sizeof(on))),
                       {EAGAIN, ENETUNREACH, EHOSTUNREACH, EMSGSIZE, ENOBUFS, EINVAL, EACCES,
                        ECONNREFUSED, EPERM, ENODEV});
}

void shut_down(Act &a)
{
    if (!a.victim->is_counted())
        a.census.count("shutdown", result(shutdown(a.fd(), SHUT_WR)), {ENOTCONN});
}

} // namespace

std::vector<Operation> upheavals()
{
    return {{3, close_it},    {2, dup_it},  {1, fork_it},        {2, pass_on},
            {4, connect_it},  {2, bind_it}, {3, bind_to_device}, {6, option},
            {3, read_errors}, {3, cork},    {1, shut_down}};
}

} // namespace torture
