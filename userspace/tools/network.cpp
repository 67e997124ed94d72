// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "network.hpp"

#include "rtnetlink.hpp"

#include <groupcast/groupcast.hpp>

#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace capacity {
namespace {

constexpr uint32_t own_address = 0x0a000001, gateway = 0x0a000002; // 10.0.0.1, 10.0.0.2
constexpr uint32_t own_members = 0x0a400000;                       // 10.64.0.0/10
constexpr int own_prefix = 10;

void write_to(const char *file, const char *text)
{
    std::ofstream out(file);
    out << text << std::flush;
    if (!out)
        throw std::runtime_error(std::string("cannot write to ") + file);
}

void enter_own_namespace()
{
    // Without privileges a user namespace gives those that are needed
    if (unshare(CLONE_NEWNET) != 0 &&
        (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0))
        throw std::system_error(errno, std::system_category(), "a network namespace");
}

// This machine's own addresses, in host order.
std::vector<uint32_t> own_addresses()
{
    ifaddrs *list = nullptr;
    if (getifaddrs(&list) != 0)
        throw std::system_error(errno, std::system_category(), "getifaddrs");
    std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
    std::vector<uint32_t> own;
    for (const auto *i = list; i; i = i->ifa_next)
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET)
            own.push_back(
                ntohl(reinterpret_cast<const sockaddr_in *>(i->ifa_addr)->sin_addr.s_addr));
    return own;
}

} // namespace

network::network(std::string device, uint32_t first, uint32_t size, bool is_private)
    : device_(std::move(device)), first_(first), size_(size), own_(own_addresses()),
      private_(is_private)
{
    std::erase_if(own_, [&](uint32_t a) { return a - first >= size; });
    std::sort(own_.begin(), own_.end());
    own_.erase(std::unique(own_.begin(), own_.end()), own_.end());
    size_ -= static_cast<uint32_t>(own_.size());
}

network network::private_one()
{
    const std::string device = "groupcast0";
    enter_own_namespace();

    // IPv6 would send packets of its own, and they would be counted
    if (std::ifstream("/proc/sys/net/ipv6/conf/default/disable_ipv6"))
        write_to("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    write_to("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535");

    rtnetlink kernel;
    kernel.add_dummy(device);
    kernel.add_address(device, own_address, 24);
    kernel.add_route(own_members, own_prefix, gateway);
    return {device, own_members, 1U << (32 - own_prefix), true};
}

network network::of(std::string device, const std::string &addresses)
{
    size_t slash = addresses.find('/');
    unsigned length = 0;
    const char *end = addresses.data() + addresses.size();
    if (slash == std::string::npos ||
        std::from_chars(addresses.data() + slash + 1, end, length).ptr != end || length < 1 ||
        length > 30)
        throw std::invalid_argument("not a network: " + addresses);
    uint32_t first = ntohl(groupcast::ipv4(addresses.substr(0, slash), 0).sin_addr.s_addr);
    if (if_nametoindex(device.c_str()) == 0)
        throw std::system_error(errno, std::system_category(), device);
    // neither the network's own address nor its broadcast address
    return {std::move(device), first + 1, (1U << (32 - length)) - 2, false};
}

std::vector<sockaddr_in> network::members(size_t n, uint16_t port) const
{
    if (n > size_)
        throw std::invalid_argument("the network has no " + std::to_string(n) + " addresses");
    std::vector<sockaddr_in> addrs;
    addrs.reserve(n);
    for (uint32_t a = first_; addrs.size() < n; a++) {
        if (std::binary_search(own_.begin(), own_.end(), a))
            continue;
        sockaddr_in addr{};
        addr.sin_family = AF_INET;
        addr.sin_port = htons(port);
        addr.sin_addr.s_addr = htonl(a);
        addrs.push_back(addr);
    }
    return addrs;
}

uint64_t network::transmitted() const
{
    // /sys/class/net would be that of the namespace it was mounted in
    std::ifstream in("/proc/thread-self/net/dev");
    for (std::string name; in >> name;) {
        if (name == device_ + ":") {
            uint64_t received[8], bytes = 0, packets = 0;
            for (auto &field : received)
                in >> field;
            if (in >> bytes >> packets)
                return packets;
        }
        in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    throw std::runtime_error("no device " + device_);
}

} // namespace capacity
