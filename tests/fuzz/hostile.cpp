// SPDX-License-Identifier: GPL-2.0-only
#include "hostile.hpp"

#include "random.hpp"

#include <arpa/inet.h>
#include <linux/udp_group.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <system_error>

namespace fuzz {

namespace {

template <typename T> std::vector<std::byte> bytes_of(const T &value)
{
    auto bytes = std::as_bytes(std::span(&value, 1));
    return {bytes.begin(), bytes.end()};
}

// 127.0.0.1 has a socket at one of these ports now and then, and an ICMP error
// comes back from the others.
uint16_t port(size_t n) { return htons(static_cast<uint16_t>(20000 + n % 4)); }

std::vector<std::byte> ip4(uint32_t ip, uint16_t port)
{
    sockaddr_in sin{};
    sin.sin_family = AF_INET;
    sin.sin_port = port;
    sin.sin_addr.s_addr = htonl(ip);
    return bytes_of(sin);
}

std::vector<std::byte> ip6(const char *ip, size_t n, uint16_t port, uint32_t scope = 0,
                           uint32_t flow = 0)
{
    sockaddr_in6 sin6{};
    sin6.sin6_family = AF_INET6;
    sin6.sin6_port = port;
    sin6.sin6_scope_id = scope;
    sin6.sin6_flowinfo = htonl(flow);
    inet_pton(AF_INET6, ip, &sin6.sin6_addr);
    sin6.sin6_addr.s6_addr[15] = static_cast<uint8_t>(sin6.sin6_addr.s6_addr[15] + n);
    return bytes_of(sin6);
}

} // namespace

std::vector<std::byte> address(uint64_t number)
{
    Choice choice(number);
    const size_t kind = choice.of(usable_addresses);
    const size_t n = choice.of(256);
    constexpr uint32_t loopback = 0x7f000001, dummy = 0x0a090002;
    switch (kind) {
    case 0:
    case 1:
    case 2:
    case 3:
        return ip4(loopback, port(kind + n));
    case 4:
        return ip4(loopback + 1 + n, port(n));
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
        return ip4(dummy + n, port(kind));
    case 10:
        return ip4(0x0a09ffff, port(n)); // the dummy device's broadcast address
    case 11:
        return ip4(0xe0000101 + n, port(n));
    case 12:
        return ip4(0xc0000201 + n, port(n)); // no route
    case 13:
        return ip4(n % 2 == 0 ? INADDR_ANY : INADDR_BROADCAST, port(n));
    case 14:
    case 15:
        return ip6("::1", 0, port(kind + n));
    case 16:
    case 17:
        return ip6("fd00:9::2", n, port(kind));
    case 18:
        return ip6("::ffff:127.0.0.1", 0, port(n));
    case 19:
        return ip6("::ffff:10.9.1.2", n, port(n));
    case 20:
        return ip6("fe80::2", n / 4, port(0), n % 4);
    case 21:
        return ip6("ff02::1", n / 4, port(0), n % 4);
    case 22:
        return ip6(n % 2 == 0 ? "::" : "2001:db8::1", 0, port(n));
    default:
        return ip6("fd00:9::3", n, port(n), 0, static_cast<uint32_t>(number >> 32));
    }
}

std::vector<std::byte> bad_address(uint64_t number)
{
    constexpr uint16_t families[] = {0, AF_UNIX, AF_PACKET, 0xffff, AF_INET, AF_INET6};
    Choice choice(number);
    auto bytes = address(choice.of(usable_addresses));
    switch (choice.of(3)) {
    case 0: {
        const uint16_t family = choice.from(families);
        std::memcpy(bytes.data(), &family, sizeof(family));
        break;
    }
    case 1:
        bytes[2] = bytes[3] = std::byte{0}; // the port
        break;
    default:
        bytes.resize(choice.of(bytes.size()));
    }
    return bytes;
}

size_t length(uint64_t number, size_t truth)
{
    constexpr size_t lengths[] = {0,
                                  1,
                                  4,
                                  15,
                                  16,
                                  17,
                                  28,
                                  88,
                                  160,
                                  4096,
                                  UDP_GROUP_MAX_MEMBERS * sizeof(sockaddr_in6),
                                  UDP_GROUP_MAX_MEMBERS * sizeof(sockaddr_in6) + 1,
                                  INT_MAX,
                                  UINT_MAX,
                                  size_t{1} << 31};
    Choice choice(number);
    switch (choice.of(8)) {
    case 1:
        return choice.from(lengths);
    case 2:
        return truth + choice.of(33);
    case 3:
        return truth - std::min(truth, choice.of(33));
    default:
        return truth;
    }
}

size_t data_length(uint64_t number)
{
    constexpr size_t lengths[] = {1472,  1400,  1473, 100,   65507,   65508,  65535,
                                  65536, 65487, 1452, 65488, 9000,    16384,  32768,
                                  70000, 1,     0,    8,     1 << 18, 1 << 20};
    Choice choice(number);
    switch (choice.of(4)) {
    case 0:
        return choice.of(300);
    case 1:
        return choice.from(lengths);
    case 2:
        return choice.of(4096);
    default:
        return 64 + choice.of(64);
    }
}

Memory::Memory()
{
    void *area = mmap(nullptr, size + guard + guard, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(), "mmap");
    base_ = static_cast<std::byte *>(area);
    read_only_ = base_ + size + guard;
    mprotect(base_ + size, guard, PROT_NONE);
    mprotect(read_only_, guard, PROT_READ);
}

Memory::~Memory() { munmap(base_, size + guard + guard); }

// Room for so many bytes. From the end on, in the first: what is behind the last
// byte of the first one taken cannot be accessed.
std::byte *Memory::take(size_t n)
{
    n = std::min(n, size / 4);
    if (used_ + n > size)
        used_ = 0;
    used_ += n;
    return base_ + size - used_;
}

Placed Memory::place(uint64_t number, std::span<const std::byte> bytes, size_t n)
{
    Choice choice(number);
    // nobody has memory for these lengths, and some are negative
    const bool fits = n <= size / 4;
    std::byte *at = take(std::max(n, bytes.size()));
    if (fits && !bytes.empty())
        std::memcpy(at, bytes.data(), std::min(bytes.size(), size / 4));
    switch (choice.of(16)) {
    case 1:
        at = nullptr;
        break;
    case 2: // the kernel's
        at = reinterpret_cast<std::byte *>(0xffff888000000000 + choice.of(1 << 20));
        break;
    case 3: // no address at all
        at = reinterpret_cast<std::byte *>(0x0000800000000000 + choice.of(1 << 20));
        break;
    case 4: // its last bytes are not there
        at = base_ + size - (n == 0 ? 0 : choice.of(std::min<size_t>(n, 4096)));
        break;
    case 5:
        return {read_only_, n <= guard, n == 0};
    default:
        return {at, true, true};
    }
    return {at, n == 0, n == 0};
}

} // namespace fuzz
