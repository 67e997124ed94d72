// SPDX-License-Identifier: GPL-2.0-only
// The ways of sending the same datagram to many receivers, behind one
// interface, for the demonstration and the measurements.
#pragma once

#include <linux/udp_group.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace ways {

inline void check(bool ok, const char *what)
{
    if (!ok)
        throw std::system_error(errno, std::generic_category(), what);
}

class Way {
public:
    virtual ~Way()
    {
        for (int fd : fds_)
            close(fd);
    }
    // One datagram to every member.
    virtual void send(std::span<const char> data) = 0;
    // The sockets that it sends from, where answers come.
    const std::vector<int> &sockets() const { return fds_; }

protected:
    int open_socket(int sndbuf)
    {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        check(fd >= 0, "socket");
        fds_.push_back(fd);
        if (sndbuf)
            check(!setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf)),
                  "SO_SNDBUF");
        return fd;
    }

private:
    std::vector<int> fds_;
};

// A socket for each member, connected to it; send() on each.
class Connected final : public Way {
public:
    Connected(std::span<const sockaddr_in> members, int sndbuf)
    {
        for (const auto &m : members)
            check(!connect(open_socket(sndbuf), reinterpret_cast<const sockaddr *>(&m), sizeof(m)),
                  "connect");
    }
    void send(std::span<const char> data) override
    {
        for (int fd : sockets())
            check(::send(fd, data.data(), data.size(), 0) >= 0, "send");
    }
};

// One socket; sendto() each member.
class SendTo final : public Way {
public:
    SendTo(std::span<const sockaddr_in> members, int sndbuf)
        : members_(members.begin(), members.end())
    {
        open_socket(sndbuf);
    }
    void send(std::span<const char> data) override
    {
        for (const auto &m : members_)
            check(::sendto(sockets()[0], data.data(), data.size(), 0,
                           reinterpret_cast<const sockaddr *>(&m), sizeof(m)) >= 0,
                  "sendto");
    }

private:
    std::vector<sockaddr_in> members_;
};

// One socket; sendmmsg(), as many messages a call as the kernel takes.
class SendMmsg final : public Way {
public:
    SendMmsg(std::span<const sockaddr_in> members, int sndbuf)
        : members_(members.begin(), members.end()), messages_(members.size())
    {
        open_socket(sndbuf);
        for (size_t i = 0; i < members_.size(); i++) {
            messages_[i].msg_hdr.msg_name = &members_[i];
            messages_[i].msg_hdr.msg_namelen = sizeof(members_[i]);
            messages_[i].msg_hdr.msg_iov = &data_;
            messages_[i].msg_hdr.msg_iovlen = 1;
        }
    }
    void send(std::span<const char> data) override
    {
        data_ = {const_cast<char *>(data.data()), data.size()};
        for (size_t done = 0; done < messages_.size();) {
            size_t n = std::min<size_t>(messages_.size() - done, 1024);
            int sent = sendmmsg(sockets()[0], &messages_[done], static_cast<unsigned>(n), 0);
            check(sent > 0, "sendmmsg");
            done += static_cast<size_t>(sent);
        }
    }

private:
    std::vector<sockaddr_in> members_;
    std::vector<mmsghdr> messages_;
    iovec data_{};
};

// One socket with a group; one send().
class Group final : public Way {
public:
    Group(std::span<const sockaddr_in> members, int sndbuf)
    {
        check(!setsockopt(open_socket(sndbuf), SOL_SOCKET, SO_SETGRP, members.data(),
                          static_cast<socklen_t>(members.size_bytes())),
              "SO_SETGRP");
    }
    void send(std::span<const char> data) override
    {
        check(::send(sockets()[0], data.data(), data.size(), 0) >= 0, "send");
    }
};

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
