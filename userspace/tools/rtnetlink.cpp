// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "rtnetlink.hpp"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

namespace capacity {
namespace {

[[noreturn]] void fail(int error, const char *what)
{
    throw std::system_error(error, std::system_category(), what);
}

} // namespace

// A message with its fixed part and attributes, in a buffer that holds the
// largest that is made here.
class rtnetlink::request {
public:
    template <typename Body> request(uint16_t type, uint16_t flags, const Body &body)
    {
        header()->nlmsg_type = type;
        header()->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
        header()->nlmsg_len = NLMSG_LENGTH(sizeof(body));
        memcpy(NLMSG_DATA(header()), &body, sizeof(body));
    }

    // Returns the attribute, for close() if others go into it.
    rtattr *add(uint16_t type, const void *data, size_t size)
    {
        size_t at = NLMSG_ALIGN(header()->nlmsg_len);
        if (at + RTA_LENGTH(size) > sizeof(buffer_))
            fail(EMSGSIZE, "rtnetlink");
        auto *attribute = reinterpret_cast<rtattr *>(buffer_ + at);
        attribute->rta_type = type;
        attribute->rta_len = static_cast<uint16_t>(RTA_LENGTH(size));
        if (size)
            memcpy(RTA_DATA(attribute), data, size);
        header()->nlmsg_len = static_cast<uint32_t>(at + RTA_LENGTH(size));
        return attribute;
    }
    rtattr *add(uint16_t type, std::string_view text)
    {
        return add(type, std::string(text).c_str(), text.size() + 1);
    }
    rtattr *add(uint16_t type, uint32_t address)
    {
        address = htonl(address);
        return add(type, &address, sizeof(address));
    }
    void close(rtattr *attribute)
    {
        auto *end = buffer_ + header()->nlmsg_len;
        attribute->rta_len = static_cast<uint16_t>(end - reinterpret_cast<char *>(attribute));
    }

    nlmsghdr *header() { return reinterpret_cast<nlmsghdr *>(buffer_); }

private:
    alignas(nlmsghdr) char buffer_[512] = {};
};

rtnetlink::rtnetlink() : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE))
{
    if (fd_ < 0)
        fail(errno, "rtnetlink");
}

rtnetlink::~rtnetlink() { close(fd_); }

void rtnetlink::ask(request &message, const char *what)
{
    if (send(fd_, message.header(), message.header()->nlmsg_len, 0) < 0)
        fail(errno, what);
    alignas(nlmsghdr) char answer[4096];
    ssize_t n = recv(fd_, answer, sizeof(answer), 0);
    if (n < 0)
        fail(errno, what);
    const auto *header = reinterpret_cast<const nlmsghdr *>(answer);
    if (static_cast<size_t>(n) < NLMSG_LENGTH(sizeof(nlmsgerr)) ||
        header->nlmsg_type != NLMSG_ERROR)
        fail(EPROTO, what);
    int error = reinterpret_cast<const nlmsgerr *>(NLMSG_DATA(header))->error;
    if (error)
        fail(-error, what);
}

void rtnetlink::add_dummy(const std::string &name)
{
    ifinfomsg body{};
    body.ifi_flags = IFF_UP;
    body.ifi_change = IFF_UP;
    request message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body);
    message.add(IFLA_IFNAME, name);
    auto *info = message.add(IFLA_LINKINFO, nullptr, 0);
    message.add(IFLA_INFO_KIND, "dummy");
    message.close(info);
    ask(message, "a dummy device");
}

void rtnetlink::add_address(const std::string &device, uint32_t address, uint8_t prefix)
{
    ifaddrmsg body{};
    body.ifa_family = AF_INET;
    body.ifa_prefixlen = prefix;
    body.ifa_index = if_nametoindex(device.c_str());
    request message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body);
    message.add(IFA_LOCAL, address);
    message.add(IFA_ADDRESS, address);
    ask(message, "an address for it");
}

void rtnetlink::add_route(uint32_t network, uint8_t prefix, uint32_t gateway)
{
    rtmsg body{};
    body.rtm_family = AF_INET;
    body.rtm_dst_len = prefix;
    body.rtm_table = RT_TABLE_MAIN;
    body.rtm_protocol = RTPROT_BOOT;
    body.rtm_scope = RT_SCOPE_UNIVERSE;
    body.rtm_type = RTN_UNICAST;
    request message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, body);
    message.add(RTA_DST, network);
    message.add(RTA_GATEWAY, gateway);
    ask(message, "a route through it");
}

} // namespace capacity
