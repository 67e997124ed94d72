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
    // Of the IPv4 header, behind that of Ethernet.
    static constexpr size_t ip = 14;
    size_t header_length() const { return size_t{4} * (at(ip) & 15U); }
    uint16_t ident() const { return word(ip + 4); }
    bool dont_fragment() const { return at(ip + 6) & 0x40; }
    bool is_later_fragment() const { return word(ip + 6) & 0x1fff; }
    std::string destination() const { return bytes.substr(ip + 16, 4); }
    std::string from() const { return address(ip + 12); }
    std::string to() const { return address(ip + 16); }
    // Of a datagram in one piece whose checksum is not left to the device.
    bool udp_sum_is_right() const;
    std::string address(size_t at) const
    {
        in_addr a{};
        memcpy(&a, bytes.data() + at, sizeof(a));
        return inet_ntoa(a);
    }
    std::string data() const { return bytes.substr(ip + header_length() + 8); }
};

// The sum of words, as in the checksums of IP and UDP.
uint16_t fold(std::string_view bytes, uint32_t start = 0);

class Tap {
public:
    // A device of the calling thread's namespace: what it receives, or, in the
    // order it does so, what it sends.
    explicit Tap(const std::string &device, bool outgoing = false);
    // Waits for so many IPv4 frames, or until none has come for long; what is
    // there then beyond them is returned, too.
    std::vector<Frame> take(size_t wanted);
    // Frames that the socket had no room for.
    unsigned lost() const;

private:
    selftest::Fd fd_;
    bool outgoing_;
};

} // namespace conformance
