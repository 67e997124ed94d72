// SPDX-License-Identifier: GPL-2.0-only
// The fuzzer's bytes, taken as what a program would give the library.
#pragma once

#include <linux/udp_group.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace library_fuzz {

class Input {
public:
    explicit Input(std::span<const uint8_t> bytes) : rest_(std::as_bytes(bytes)) {}
    bool empty() const { return rest_.empty(); }

    // Zeros are behind the end.
    template <typename T> T number()
    {
        T value{};
        auto from = take(sizeof(T));
        std::copy(from.begin(), from.end(), std::as_writable_bytes(std::span(&value, 1)).begin());
        return value;
    }
    size_t below(size_t n) { return number<uint8_t>() % n; }

    // In memory of their own, so that a byte too far is noticed.
    std::vector<std::byte> bytes(size_t max)
    {
        auto from = take(std::min<size_t>(number<uint16_t>(), max));
        return {from.begin(), from.end()};
    }
    // Some addresses of few, or bytes that may be anything.
    std::vector<std::byte> addresses()
    {
        if (below(8) == 7)
            return bytes(256);
        std::vector<std::byte> packed;
        for (size_t n = below(6); n > 0; n--) {
            if (below(2) == 0) {
                sockaddr_in in{};
                in.sin_family = AF_INET;
                in.sin_port = htons(static_cast<uint16_t>(below(4)));
                in.sin_addr.s_addr = htonl(0x7f000001 + static_cast<uint32_t>(below(4)));
                append(packed, in);
            } else {
                sockaddr_in6 in6{};
                in6.sin6_family = AF_INET6;
                in6.sin6_port = htons(static_cast<uint16_t>(below(4)));
                in6.sin6_addr = IN6ADDR_LOOPBACK_INIT;
                in6.sin6_addr.s6_addr[14] = static_cast<uint8_t>(below(4));
                append(packed, in6);
            }
        }
        return packed;
    }

private:
    template <typename T> static void append(std::vector<std::byte> &to, const T &value)
    {
        auto bytes = std::as_bytes(std::span(&value, 1));
        to.insert(to.end(), bytes.begin(), bytes.end());
    }
    std::span<const std::byte> take(size_t n)
    {
        auto taken = rest_.first(std::min(n, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }

    std::span<const std::byte> rest_;
};

} // namespace library_fuzz
