// SPDX-License-Identifier: GPL-2.0-only
// What every way of sending is to those who use one.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace ways {

inline void check(bool ok, const char *what)
{
    if (!ok)
        throw std::system_error(errno, std::generic_category(), what);
}

// This kernel or this device does not have it: no failure, but no figure.
class NotPossible : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class Way {
public:
    Way() = default;
    Way(const Way &) = delete;
    Way &operator=(const Way &) = delete;
    virtual ~Way()
    {
        for (int fd : fds_)
            close(fd);
    }
    // One datagram to every member.
    virtual void send(std::span<const char> data) = 0;
    // Another member in the place of this one.
    virtual void change(size_t, const sockaddr_in &)
    {
        throw NotPossible("its members cannot be changed");
    }
    // Around each series of sends: what the whole machine is set to for them.
    virtual void begin() {}
    virtual void end() {}
    // The sockets that it sends from, where answers come.
    const std::vector<int> &sockets() const { return fds_; }

protected:
    int open_socket(int sndbuf)
    {
        fds_.push_back(new_socket(sndbuf));
        return fds_.back();
    }
    void reopen_socket(size_t i, int sndbuf)
    {
        close(fds_[i]);
        fds_[i] = -1;
        fds_[i] = new_socket(sndbuf);
    }

private:
    static int new_socket(int sndbuf)
    {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        check(fd >= 0, "socket");
        if (sndbuf && setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf))) {
            close(fd);
            check(false, "SO_SNDBUF");
        }
        return fd;
    }

    std::vector<int> fds_;
};

} // namespace ways
