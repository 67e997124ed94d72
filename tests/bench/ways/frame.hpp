// SPDX-License-Identifier: GPL-2.0-only
// Ethernet, IP and UDP headers by hand, as a program over AF_XDP makes them.
#pragma once

#include "link.hpp"

#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

namespace ways {

// The sum of the internet checksum, unfolded.
inline uint32_t add_words(std::span<const char> data, uint32_t sum = 0)
{
    size_t i = 0;
    for (; i + 1 < data.size(); i += 2) {
        uint16_t word = 0;
        memcpy(&word, &data[i], sizeof(word));
        sum += word;
    }
    if (i < data.size())
        sum += static_cast<uint8_t>(data[i]);
    return sum;
}

inline uint16_t fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
}

// One member's headers. What depends on the data is written for each datagram.
class FrameHeader {
public:
    FrameHeader(const Link &link, const sockaddr_in &to)
    {
        memcpy(raw_.ether.ether_dhost, sink_mac.data(), sink_mac.size());
        memcpy(raw_.ether.ether_shost, link.mac.data(), link.mac.size());
        raw_.ether.ether_type = htons(ETHERTYPE_IP);
        raw_.ip.version = 4;
        raw_.ip.ihl = 5;
        raw_.ip.ttl = 64;
        raw_.ip.protocol = IPPROTO_UDP;
        raw_.ip.frag_off = htons(IP_DF);
        raw_.ip.saddr = link.address.s_addr;
        raw_.ip.daddr = to.sin_addr.s_addr;
        raw_.udp.source = htons(40000);
        raw_.udp.dest = to.sin_port;
        ip_sum_ = add_words({reinterpret_cast<const char *>(&raw_.ip), sizeof(raw_.ip)});
        // the pseudo header, and the ports
        udp_sum_ = add_words({reinterpret_cast<const char *>(&raw_.ip.saddr), 8});
        udp_sum_ += htons(IPPROTO_UDP);
        udp_sum_ += static_cast<uint32_t>(raw_.udp.source) + raw_.udp.dest;
    }
    // Writes the frame and returns its length. data_sum is add_words(data).
    size_t write(char *frame, std::span<const char> data, uint32_t data_sum)
    {
        auto udp_length = htons(static_cast<uint16_t>(sizeof(udphdr) + data.size()));
        raw_.ip.tot_len =
            htons(static_cast<uint16_t>(sizeof(iphdr) + sizeof(udphdr) + data.size()));
        raw_.ip.check = fold(ip_sum_ + raw_.ip.tot_len);
        raw_.udp.len = udp_length;
        raw_.udp.check = fold(udp_sum_ + data_sum + 2U * udp_length);
        if (!raw_.udp.check)
            raw_.udp.check = 0xffff;
        memcpy(frame, &raw_, sizeof(raw_));
        memcpy(frame + sizeof(raw_), data.data(), data.size());
        return sizeof(raw_) + data.size();
    }

private:
    struct [[gnu::packed]] Raw {
        ether_header ether;
        iphdr ip;
        udphdr udp;
    };
    Raw raw_{};
    uint32_t ip_sum_ = 0, udp_sum_ = 0;
};

} // namespace ways
