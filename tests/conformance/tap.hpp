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
    uint16_t ident() const { return word(ip + 4); }
    bool dont_fragment() const { return at(ip + 6) & 0x40; }
    bool is_later_fragment() const { return word(ip + 6) & 0x1fff; }
    std::string destination() const { return bytes.substr(ip + 16, 4); }
    std::string data() const { return bytes.substr(ip + 4 * (at(ip) & 15u) + 8); }
};

class Tap {
public:
    // A device of the calling thread's namespace.
    explicit Tap(const std::string &device);
    // Waits for so many IPv4 frames, or until none has come for long; what is
    // there then beyond them is returned, too.
    std::vector<Frame> take(size_t wanted);
    // Frames that the socket had no room for.
    unsigned lost() const;

private:
    selftest::Fd fd_;
};

} // namespace conformance
