// SPDX-License-Identifier: GPL-2.0-only
// The ways that need nothing but a UDP socket.
#pragma once

#include "way.hpp"

#include <linux/udp_group.h>

#include <algorithm>

namespace ways {

// A socket for each member, connected to it; send() on each.
class Connected final : public Way {
public:
    Connected(std::span<const sockaddr_in> members, int sndbuf) : sndbuf_(sndbuf)
    {
        for (const auto &m : members)
            connect_to(open_socket(sndbuf), m);
    }
    void send(std::span<const char> data) override
    {
        for (int fd : sockets())
            check(::send(fd, data.data(), data.size(), 0) >= 0, "send");
    }
    void change(size_t i, const sockaddr_in &member) override
    {
        reopen_socket(i, sndbuf_);
        connect_to(sockets()[i], member);
    }

private:
    static void connect_to(int fd, const sockaddr_in &member)
    {
        check(!connect(fd, reinterpret_cast<const sockaddr *>(&member), sizeof(member)), "connect");
    }

    int sndbuf_;
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
    void change(size_t i, const sockaddr_in &member) override { members_[i] = member; }

private:
    std::vector<sockaddr_in> members_;
};

// One socket; sendmmsg(), as many messages a call as the kernel takes.
class SendMmsg : public Way {
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
    // The messages, with these data.
    std::span<mmsghdr> prepare(std::span<const char> data)
    {
        data_ = {const_cast<char *>(data.data()), data.size()};
        return messages_;
    }
    void send(std::span<const char> data) override
    {
        prepare(data);
        for (size_t done = 0; done < messages_.size();) {
            size_t n = std::min<size_t>(messages_.size() - done, 1024);
            int sent = sendmmsg(sockets()[0], &messages_[done], static_cast<unsigned>(n), 0);
            check(sent > 0, "sendmmsg");
            done += static_cast<size_t>(sent);
        }
    }
    void change(size_t i, const sockaddr_in &member) override { members_[i] = member; }

private:
    std::vector<sockaddr_in> members_;
    std::vector<mmsghdr> messages_;
    iovec data_{};
};

// One socket with a group; one send().
class Group final : public Way {
public:
    Group(std::span<const sockaddr_in> members, int sndbuf)
        : members_(members.begin(), members.end())
    {
        open_socket(sndbuf);
        set();
    }
    void send(std::span<const char> data) override
    {
        check(::send(sockets()[0], data.data(), data.size(), 0) >= 0, "send");
    }
    void change(size_t i, const sockaddr_in &member) override
    {
        members_[i] = member;
        set();
    }

private:
    void set()
    {
        check(!setsockopt(sockets()[0], SOL_SOCKET, SO_SETGRP, members_.data(),
                          static_cast<socklen_t>(members_.size() * sizeof(members_[0]))),
              "SO_SETGRP");
    }

    std::vector<sockaddr_in> members_;
};

} // namespace ways
