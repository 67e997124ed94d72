// SPDX-License-Identifier: GPL-2.0-only
// Devices, addresses, routes and neighbours by netlink: programs would be too slow
// for a thousand changes of the world.
#pragma once

#include "../netlink.hpp"
#include "endpoint.hpp"

#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/veth.h>

namespace torture {

using netlink::Request;

// The first of these that failed, or 0.
inline long first_error(std::initializer_list<long> outcomes)
{
    auto err = std::find_if(outcomes.begin(), outcomes.end(), [](long o) { return o < 0; });
    return err == outcomes.end() ? 0 : *err;
}

// Acts on the namespace in which it was made.
class Rtnl {
public:
    Rtnl() : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {}
    long add_dummy(const std::string &name) const
    {
        Request link(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
        link.attribute(IFLA_IFNAME, zero(name));
        return ask(link.attribute(IFLA_LINKINFO, kind("dummy", "")));
    }
    // The other end is in another namespace.
    long add_veth(const std::string &name, const std::string &peer, int peer_ns) const
    {
        Request other(0, 0, ifinfomsg{});
        other.attribute(IFLA_IFNAME, zero(peer));
        other.attribute(IFLA_NET_NS_FD, static_cast<uint32_t>(peer_ns));
        Request data(0, 0, ifinfomsg{});
        data.attribute(VETH_INFO_PEER, other.behind());
        Request link(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
        link.attribute(IFLA_IFNAME, zero(name));
        return ask(link.attribute(IFLA_LINKINFO, kind("veth", data.inside(sizeof(ifinfomsg)))));
    }
    long set_up(const std::string &name) const
    {
        ifinfomsg up = info(name);
        up.ifi_flags = up.ifi_change = IFF_UP;
        return ask({RTM_NEWLINK, 0, up});
    }
    long del_link(const std::string &name) const { return ask({RTM_DELLINK, 0, info(name)}); }
    // An address of a device, its prefix included.
    long address(bool add, const std::string &device, const std::string &ip, uint8_t prefix) const
    {
        ifaddrmsg m{};
        m.ifa_family = family(ip);
        m.ifa_prefixlen = prefix;
        m.ifa_flags = IFA_F_NODAD;
        m.ifa_index = if_nametoindex(device.c_str());
        auto type = add ? RTM_NEWADDR : RTM_DELADDR;
        Request r(static_cast<uint16_t>(type), add ? NLM_F_CREATE | NLM_F_REPLACE : 0, m);
        return ask(r.attribute(IFA_LOCAL, raw(ip)).attribute(IFA_ADDRESS, raw(ip)));
    }
    long route(bool add, const std::string &device, const std::string &ip, uint8_t prefix) const
    {
        rtmsg m{};
        m.rtm_family = family(ip);
        m.rtm_dst_len = prefix;
        m.rtm_table = RT_TABLE_MAIN;
        m.rtm_protocol = RTPROT_BOOT;
        m.rtm_scope = m.rtm_family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
        m.rtm_type = RTN_UNICAST;
        auto type = add ? RTM_NEWROUTE : RTM_DELROUTE;
        Request r(static_cast<uint16_t>(type), add ? NLM_F_CREATE | NLM_F_REPLACE : 0, m);
        return ask(
            r.attribute(RTA_DST, raw(ip)).attribute(RTA_OIF, if_nametoindex(device.c_str())));
    }
    long neighbour(bool add, const std::string &device, const std::string &ip) const
    {
        ndmsg m{};
        m.ndm_family = family(ip);
        m.ndm_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
        m.ndm_state = NUD_PERMANENT;
        auto type = add ? RTM_NEWNEIGH : RTM_DELNEIGH;
        Request r(static_cast<uint16_t>(type), add ? NLM_F_CREATE | NLM_F_REPLACE : 0, m);
        r.attribute(NDA_DST, raw(ip));
        return ask(r.attribute(NDA_LLADDR, std::string("\x02\0\0\0\0\x02", 6)));
    }
    // What a device's packets wait in.
    long queue(const std::string &device, const std::string &kind, const std::string &options) const
    {
        tcmsg m{};
        m.tcm_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
        m.tcm_parent = TC_H_ROOT;
        Request r(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, m);
        r.attribute(TCA_KIND, zero(kind));
        if (!options.empty())
            r.attribute(TCA_OPTIONS, options);
        return ask(r);
    }

private:
    static std::string zero(const std::string &name) { return name + '\0'; }
    static uint8_t family(const std::string &ip)
    {
        return ip.find(':') == std::string::npos ? AF_INET : AF_INET6;
    }
    static std::string raw(const std::string &ip)
    {
        auto addr = packed(ip, 0);
        return family(ip) == AF_INET ? addr.substr(offsetof(sockaddr_in, sin_addr), 4)
                                     : addr.substr(offsetof(sockaddr_in6, sin6_addr), 16);
    }
    static ifinfomsg info(const std::string &name)
    {
        ifinfomsg m{};
        m.ifi_index = static_cast<int>(if_nametoindex(name.c_str()));
        return m;
    }
    static std::string kind(const std::string &name, const std::string &data)
    {
        Request r(0, 0, ifinfomsg{});
        r.attribute(IFLA_INFO_KIND, name);
        if (!data.empty())
            r.attribute(IFLA_INFO_DATA, data);
        return r.inside(sizeof(ifinfomsg));
    }
    long ask(const Request &request) const { return netlink::ask(fd_.get(), request); }
    Fd fd_;
};

} // namespace torture
