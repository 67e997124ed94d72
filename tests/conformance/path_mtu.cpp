// SPDX-License-Identifier: GPL-2.0-only
#include "path_mtu.hpp"

namespace conformance {

void send_fragmentation_needed(const World &w, const sockaddr_in &to, uint16_t mtu)
{
    auto sum = [](const std::string &bytes) { return static_cast<uint16_t>(~fold(bytes)); };
    auto put = [](std::string &bytes, size_t at, uint16_t value) {
        bytes[at] = static_cast<char>(value >> 8);
        bytes[at + 1] = static_cast<char>(value);
    };
    auto ip_header = [&](in_addr from, in_addr dest, uint8_t protocol, size_t len) {
        std::string h(20, '\0');
        h[0] = 0x45;
        put(h, 2, static_cast<uint16_t>(len));
        h[6] = 0x40;
        h[8] = 64;
        h[9] = static_cast<char>(protocol);
        memcpy(&h[12], &from, 4);
        memcpy(&h[16], &dest, 4);
        put(h, 10, sum(h));
        return h;
    };
    in_addr sender = address("10.1.0.1", 0).sin_addr;
    std::string udp(8, '\0');
    put(udp, 0, 4000);
    put(udp, 2, ntohs(to.sin_port));
    put(udp, 4, 608);
    std::string icmp(8, '\0');
    icmp[0] = 3;
    icmp[1] = 4;
    put(icmp, 6, mtu);
    icmp += ip_header(sender, to.sin_addr, IPPROTO_UDP, 628) + udp;
    put(icmp, 2, sum(icmp));
    std::string frame("\x02\0\0\0\x01\x01\x02\0\0\0\x01\x02\x08\0", 14);
    frame += ip_header(address("10.1.0.254", 0).sin_addr, sender, IPPROTO_ICMP, 20 + icmp.size());
    frame += icmp;

    In in(*w.peer);
    Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll sll{};
    sll.sll_family = AF_PACKET;
    sll.sll_protocol = htons(ETH_P_IP);
    sll.sll_ifindex = static_cast<int>(if_nametoindex("far"));
    if (sendto(fd.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr *>(&sll),
               sizeof(sll)) != static_cast<ssize_t>(frame.size()))
        throw std::runtime_error("cannot send ICMP");
}

int path_mtu(const sockaddr_in &to)
{
    Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    int mtu = 0;
    socklen_t len = sizeof(mtu);
    if (connect(fd.get(), reinterpret_cast<const sockaddr *>(&to), sizeof(to)) < 0 ||
        getsockopt(fd.get(), SOL_IP, IP_MTU, &mtu, &len) < 0)
        throw std::runtime_error(std::string("MTU of a path: ") + strerror(errno));
    return mtu;
}

} // namespace conformance
