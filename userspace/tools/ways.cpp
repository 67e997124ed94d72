// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "ways.hpp"

#include <groupcast/groupcast.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace capacity {
namespace {

void check(bool ok, const char *what)
{
    if (!ok)
        throw std::system_error(errno, std::system_category(), what);
}

// A socket for each member, connected to it, and a send() on each.
class connected final : public way {
public:
    explicit connected(std::span<const sockaddr_in> members) : sockets_(members.size())
    {
        for (size_t i = 0; i < members.size(); i++)
            check(::connect(sockets_[i].fd(), reinterpret_cast<const sockaddr *>(&members[i]),
                            sizeof(members[i])) == 0,
                  "connect");
    }
    void send(std::span<const std::byte> data) override
    {
        for (const auto &s : sockets_)
            check(::send(s.fd(), data.data(), data.size(), 0) >= 0, "send");
    }

private:
    std::vector<groupcast::socket> sockets_;
};

// One socket, and as many messages in a sendmmsg() as the kernel takes.
class sendmmsg final : public way {
public:
    explicit sendmmsg(std::span<const sockaddr_in> members)
        : members_(members.begin(), members.end()), messages_(members.size())
    {
        for (size_t i = 0; i < members_.size(); i++) {
            auto &header = messages_[i].msg_hdr;
            header.msg_name = &members_[i];
            header.msg_namelen = sizeof(members_[i]);
            header.msg_iov = &data_;
            header.msg_iovlen = 1;
        }
    }
    void send(std::span<const std::byte> data) override
    {
        data_ = {const_cast<std::byte *>(data.data()), data.size()};
        for (size_t done = 0; done < messages_.size();) {
            auto n = static_cast<unsigned>(std::min<size_t>(messages_.size() - done, 1024));
            int sent = ::sendmmsg(socket_.fd(), &messages_[done], n, 0);
            check(sent > 0, "sendmmsg");
            done += static_cast<size_t>(sent);
        }
    }

private:
    groupcast::socket socket_;
    std::vector<sockaddr_in> members_;
    std::vector<mmsghdr> messages_;
    iovec data_{};
};

// One socket with a group of the kernel's, and one send().
class group final : public way {
public:
    explicit group(std::span<const sockaddr_in> members)
        : group_(socket_.fd(), groupcast::backend_kind::kernel)
    {
        group_.set(members);
    }
    void send(std::span<const std::byte> data) override { group_.send(data); }

private:
    groupcast::socket socket_;
    groupcast::group group_;
};

size_t most_sockets()
{
    // a process of root's may have more than it was given
    rlimit files{};
    check(getrlimit(RLIMIT_NOFILE, &files) == 0, "RLIMIT_NOFILE");
    rlim_t wanted = 0;
    std::ifstream("/proc/sys/fs/nr_open") >> wanted;
    rlimit more{std::max(wanted, files.rlim_max), std::max(wanted, files.rlim_max)};
    if (setrlimit(RLIMIT_NOFILE, &more) != 0) {
        more = {files.rlim_max, files.rlim_max};
        check(setrlimit(RLIMIT_NOFILE, &more) == 0, "RLIMIT_NOFILE");
    }
    constexpr size_t others = 64; // descriptors, and ports that somebody has
    size_t first = 0, last = 0;
    std::ifstream ports("/proc/sys/net/ipv4/ip_local_port_range");
    if (!(ports >> first >> last) || last < first + others)
        throw std::runtime_error("cannot read ip_local_port_range");
    return std::min<size_t>(more.rlim_cur, last - first + 1) - others;
}

} // namespace

std::unique_ptr<way> make_way(std::string_view name, std::span<const sockaddr_in> members)
{
    if (name == "connected")
        return std::make_unique<connected>(members);
    if (name == "sendmmsg")
        return std::make_unique<sendmmsg>(members);
    if (name == "group")
        return std::make_unique<group>(members);
    throw std::invalid_argument("no such way: " + std::string(name));
}

size_t most_members(std::string_view name)
{
    if (name == "connected")
        return most_sockets();
    if (name != "group")
        return std::numeric_limits<size_t>::max();
    // seen in the first network namespace only
    size_t most = UDP_GROUP_MAX_MEMBERS;
    std::ifstream("/proc/sys/net/ipv4/udp_group_max_members") >> most;
    return most;
}

} // namespace capacity
