// SPDX-License-Identifier: GPL-2.0-only
// A request to rtnetlink: where a program that is run for it would take too long.
#pragma once

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

namespace netlink {

class Request {
public:
    template <typename Header> Request(uint16_t type, uint16_t flags, const Header &header)
    {
        nlmsghdr h{};
        h.nlmsg_type = type;
        h.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
        put(&h, sizeof(h));
        put(&header, sizeof(header));
    }
    Request &attribute(uint16_t type, const std::string &value)
    {
        rtattr a{static_cast<uint16_t>(sizeof(rtattr) + value.size()), type};
        put(&a, sizeof(a));
        put(value.data(), value.size());
        return *this;
    }
    Request &attribute(uint16_t type, uint32_t value)
    {
        return attribute(type, std::string(reinterpret_cast<char *>(&value), sizeof(value)));
    }
    std::string bytes() const
    {
        std::string all = bytes_;
        auto len = static_cast<uint32_t>(all.size());
        memcpy(all.data(), &len, sizeof(len)); // nlmsg_len is first
        return all;
    }
    // What is behind the header, as the value of an attribute.
    std::string inside(size_t header) const { return bytes_.substr(NLMSG_HDRLEN + header); }
    std::string behind() const { return bytes_.substr(NLMSG_HDRLEN); }

private:
    void put(const void *data, size_t len)
    {
        bytes_.append(static_cast<const char *>(data), len);
        bytes_.resize(NLMSG_ALIGN(bytes_.size()));
    }
    std::string bytes_;
};

// 0 or -errno.
inline long ask(int fd, const Request &request)
{
    auto bytes = request.bytes();
    alignas(nlmsghdr) char answer[8192];
    if (send(fd, bytes.data(), bytes.size(), 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0)
        return -errno;
    nlmsgerr e;
    memcpy(&e, answer + NLMSG_HDRLEN, sizeof(e));
    return e.error;
}

} // namespace netlink
