// SPDX-License-Identifier: GPL-2.0-only
#include "tap.hpp"

#include <netinet/icmp6.h>

namespace conformance {

using selftest::Fd;

uint16_t fold(std::string_view bytes, uint32_t sum)
{
    for (size_t i = 0; i < bytes.size(); i++)
        sum += uint32_t(static_cast<uint8_t>(bytes[i])) << (i % 2 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(sum);
}

bool Frame::udp_sum_is_right() const
{
    std::string_view udp = std::string_view(bytes).substr(ip + header_length());
    std::string_view addresses =
        std::string_view(bytes).substr(ip + (is_ip6() ? 8 : 12), is_ip6() ? 32 : 8);
    return !(aux.tp_status & TP_STATUS_CSUMNOTREADY) &&
           fold(udp, IPPROTO_UDP + static_cast<uint32_t>(udp.size()) + fold(addresses)) == 0xffff;
}

Frame::Walk Frame::walk() const
{
    Walk w{.end = ip + 40, .fragment = 0, .protocol = at(ip + 6)};
    while (!w.fragment && w.end + 8 <= bytes.size() &&
           (w.protocol == IPPROTO_HOPOPTS || w.protocol == IPPROTO_ROUTING ||
            w.protocol == IPPROTO_DSTOPTS || w.protocol == IPPROTO_FRAGMENT)) {
        if (w.protocol == IPPROTO_FRAGMENT)
            w.fragment = w.end;
        w.protocol = at(w.end);
        w.end += w.fragment ? 8 : 8 + size_t{8} * at(w.end + 1);
    }
    return w;
}

bool Frame::is_discovery() const
{
    if (!is_ip6() || protocol() != IPPROTO_ICMPV6)
        return false;
    const uint8_t type = at(ip + header_length());
    return (type >= MLD_LISTENER_QUERY && type <= ND_REDIRECT) || type == 143; // MLDv2's report
}

Tap::Tap(const std::string &device, bool outgoing)
    : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))), outgoing_(outgoing)
{
    sockaddr_ll sll{};
    sll.sll_family = AF_PACKET;
    sll.sll_protocol = htons(ETH_P_ALL);
    sll.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
    int on = 1, room = 128 << 20;
    if (!sll.sll_ifindex ||
        setsockopt(fd_.get(), SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
        setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
        bind(fd_.get(), reinterpret_cast<sockaddr *>(&sll), sizeof(sll)) < 0)
        throw std::runtime_error("capture of " + device + ": " + strerror(errno));
    take(0);
    lost();
}

std::vector<Frame> Tap::take(size_t wanted)
{
    static std::string buf(70000, '\0');
    std::vector<Frame> frames;
    for (;;) {
        sockaddr_ll sll{};
        iovec iov{buf.data(), buf.size()};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(tpacket_auxdata))];
        msghdr msg{};
        msg.msg_name = &sll;
        msg.msg_namelen = sizeof(sll);
        msg.msg_iov = &iov;
        msg.msg_iovlen = 1;
        msg.msg_control = control;
        msg.msg_controllen = sizeof(control);
        ssize_t n = recvmsg(fd_.get(), &msg, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            pollfd p{.fd = fd_.get(), .events = POLLIN, .revents = 0};
            if (frames.size() >= wanted || poll(&p, 1, selftest::patience) != 1)
                return frames;
            continue;
        }
        if (n < 0 && errno == ENETDOWN)
            continue; // told once
        cmsghdr *c = n < 0 ? nullptr : CMSG_FIRSTHDR(&msg);
        if (!c || c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
            throw std::runtime_error("a frame without PACKET_AUXDATA");
        // neighbour discovery has its own times
        if ((sll.sll_protocol != htons(ETH_P_IP) && sll.sll_protocol != htons(ETH_P_IPV6)) ||
            (sll.sll_pkttype == PACKET_OUTGOING) != outgoing_)
            continue;
        Frame &f = frames.emplace_back();
        f.bytes.assign(buf.data(), static_cast<size_t>(n));
        f.type = sll.sll_pkttype;
        memcpy(&f.aux, CMSG_DATA(c), sizeof(f.aux));
        if (f.is_discovery())
            frames.pop_back();
    }
}

unsigned Tap::lost() const
{
    tpacket_stats stats{};
    socklen_t len = sizeof(stats);
    if (getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &len) < 0)
        throw std::runtime_error("PACKET_STATISTICS");
    return stats.tp_drops;
}

} // namespace conformance
