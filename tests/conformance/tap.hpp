// SPDX-License-Identifier: GPL-2.0-only
// Frames as a device receives them, with all that the kernel says beside them.
#pragma once

#include "../selftests/messages.hpp"

namespace conformance {

struct Frame {
    std::string bytes; // from the link header on
    uint8_t type;      // PACKET_HOST and the like
    tpacket_auxdata aux;

    uint8_t at(size_t i) const { return static_cast<uint8_t>(bytes.at(i)); }
    uint16_t word(size_t i) const { return static_cast<uint16_t>(at(i) << 8 | at(i + 1)); }
    // The IP header is behind that of Ethernet.
    static constexpr size_t ip = 14;
    bool is_ip6() const { return at(ip) >> 4 == 6; }
    // With the extension headers that IPv6 has before a datagram or its part.
    size_t header_length() const { return is_ip6() ? walk().end - ip : size_t{4} * (at(ip) & 15U); }
    uint8_t protocol() const { return is_ip6() ? walk().protocol : at(ip + 9); }
    // Where IPv6 has a fragment header, or 0.
    size_t fragment_header() const { return is_ip6() ? walk().fragment : 0; }
    // Of IPv4.
    uint16_t ident() const { return word(ip + 4); }
    bool dont_fragment() const { return at(ip + 6) & 0x40; }
    bool is_later_fragment() const
    {
        if (!is_ip6())
            return word(ip + 6) & 0x1fff;
        return fragment_header() && word(fragment_header() + 2) & 0xfff8;
    }
    // What fragments of a datagram have in common.
    std::string datagram() const
    {
        if (!is_ip6())
            return bytes.substr(ip + 4, 2);
        return fragment_header() ? bytes.substr(fragment_header() + 4, 4) : "";
    }
    std::string destination() const
    {
        return is_ip6() ? bytes.substr(ip + 24, 16) : bytes.substr(ip + 16, 4);
    }
    std::string from() const { return address(is_ip6() ? ip + 8 : ip + 12); }
    std::string to() const { return address(is_ip6() ? ip + 24 : ip + 16); }
    // ICMPv6 that the stack says of its own accord: neighbour and listener discovery.
    bool is_discovery() const;
    // Of a datagram in one piece whose checksum is not left to the device.
    bool udp_sum_is_right() const;
    std::string address(size_t at) const
    {
        char text[INET6_ADDRSTRLEN];
        return inet_ntop(is_ip6() ? AF_INET6 : AF_INET, bytes.data() + at, text, sizeof(text));
    }
    std::string data() const { return bytes.substr(ip + header_length() + 8); }

private:
    struct Walk {
        size_t end, fragment;
        uint8_t protocol;
    };
    Walk walk() const;
};

// The sum of words, as in the checksums of IP and UDP.
uint16_t fold(std::string_view bytes, uint32_t start = 0);

class Tap {
public:
    // A device of the calling thread's namespace: what it receives, or, in the
    // order it does so, what it sends.
    explicit Tap(const std::string &device, bool outgoing = false);
    // Waits for so many frames of IP, or until none has come for long; what is
    // there then beyond them is returned, too.
    std::vector<Frame> take(size_t wanted);
    // Frames that the socket had no room for.
    unsigned lost() const;

private:
    selftest::Fd fd_;
    bool outgoing_;
};

} // namespace conformance
