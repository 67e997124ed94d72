// SPDX-License-Identifier: GPL-2.0-only
// The comparison itself: it notices what differs, and lets pass what may.

#include "difference.hpp"

#include <gtest/gtest-spi.h>

namespace conformance {
namespace {

// How many failures a comparison has.
int found(const std::vector<Frame> &one, const std::vector<Frame> &group, bool ordered = true)
{
    testing::TestPartResultArray results;
    {
        testing::ScopedFakeTestPartResultReporter reporter(
            testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results);
        expect_same_frames(one, group, ordered);
    }
    return results.size();
}

void put(Frame &f, size_t at, uint16_t value)
{
    f.bytes[at] = static_cast<char>(value >> 8);
    f.bytes[at + 1] = static_cast<char>(value);
}

Frame frame(uint16_t protocol)
{
    Frame f{.bytes = selftest::pattern(12), .type = PACKET_HOST, .aux = {}};
    f.bytes += std::string{static_cast<char>(protocol >> 8), static_cast<char>(protocol)};
    return f;
}

void make_header_sum(Frame &f)
{
    put(f, Frame::ip + 10, 0);
    put(f, Frame::ip + 10, static_cast<uint16_t>(~fold(f.bytes.substr(Frame::ip, 20))));
}

constexpr size_t n = 4; // frames of each kind, to as many hosts
constexpr size_t udp = 8, data = 32;

std::vector<Frame> ip4(uint16_t ident)
{
    std::vector<Frame> frames;
    for (size_t i = 0; i < n; i++) {
        Frame f = frame(ETH_P_IP);
        f.bytes += std::string("\x45\0\0\x3c\0\0\0\0\x40\x11\0\0\x0a\1\0\1\x0a\1\0", 19) +
                   static_cast<char>(i) + selftest::pattern(udp + data);
        put(f, Frame::ip + 4, static_cast<uint16_t>(ident + i));
        make_header_sum(f);
        frames.push_back(std::move(f));
    }
    return frames;
}

Frame ip6(size_t i, uint8_t next, const std::string &rest)
{
    Frame f = frame(ETH_P_IPV6);
    f.bytes += std::string("\x60\1\2\3\0", 5) + static_cast<char>(rest.size()) +
               static_cast<char>(next) + '\x40' + selftest::pattern(31) + static_cast<char>(i) +
               rest;
    return f;
}

std::vector<Frame> ip6()
{
    std::vector<Frame> frames;
    for (size_t i = 0; i < n; i++)
        frames.push_back(ip6(i, IPPROTO_UDP, selftest::pattern(udp + data)));
    return frames;
}

// Two fragments of each datagram, behind options for the destination.
std::vector<Frame> fragments(uint8_t ident)
{
    std::vector<Frame> frames;
    for (size_t i = 0; i < n; i++)
        for (const char *offset : {"\0\1", "\0\x28"})
            frames.push_back(ip6(i, IPPROTO_DSTOPTS,
                                 std::string("\x2c\0\1\4\0\0\0\0\x11\0", 10) +
                                     std::string(offset, 2) + "\1\2\3" +
                                     static_cast<char>(ident + i) + selftest::pattern(data)));
    return frames;
}

std::vector<std::vector<Frame>> kinds() { return {ip4(100), ip6(), fragments(100)}; }

TEST(Difference, AlikeIsAlike)
{
    for (const auto &frames : kinds())
        EXPECT_EQ(found(frames, frames), 0);
    // identifiers are whoever's
    EXPECT_EQ(found(ip4(100), ip4(7000)), 0);
    EXPECT_EQ(found(fragments(100), fragments(30)), 0);
}

TEST(Difference, EachByte)
{
    for (const auto &frames : kinds()) {
        const Frame &last = frames.back();
        for (size_t at = 0; at < last.bytes.size(); at++) {
            auto changed = frames;
            changed.back().bytes[at] = static_cast<char>(changed.back().bytes[at] ^ 0x40);
            EXPECT_GT(found(frames, changed), 0)
                << "byte " << at << ", IPv6: " << last.is_ip6() << ", " << last.fragment_header();
        }
    }
}

// The header's sum explains it, and it is a difference nevertheless.
TEST(Difference, TtlWithItsSum)
{
    auto changed = ip4(100);
    changed[1].bytes[Frame::ip + 8]--;
    make_header_sum(changed[1]);
    EXPECT_GT(found(ip4(100), changed), 0);
}

TEST(Difference, LengthsAndOffloads)
{
    for (const auto &frames : kinds()) {
        auto longer = frames, summed = frames, other = frames, tagged = frames;
        longer[2].bytes += '\0';
        EXPECT_GT(found(frames, longer), 0);
        EXPECT_GT(found(longer, frames), 0);
        summed[2].aux.tp_status |= TP_STATUS_CSUMNOTREADY;
        EXPECT_GT(found(frames, summed), 0);
        other[0].type = PACKET_BROADCAST;
        EXPECT_GT(found(frames, other), 0);
        tagged[0].aux.tp_vlan_tci = 5;
        EXPECT_GT(found(frames, tagged), 0);
    }
}

TEST(Difference, LostAndDuplicated)
{
    for (const auto &frames : kinds())
        for (bool ordered : {true, false})
            for (size_t i = 0; i < frames.size(); i++) {
                const auto at = static_cast<std::ptrdiff_t>(i);
                auto lost = frames, twice = frames;
                lost.erase(lost.begin() + at);
                EXPECT_GT(found(frames, lost, ordered), 0) << i;
                EXPECT_GT(found(lost, frames, ordered), 0) << i;
                twice.insert(twice.begin() + at, frames[i]);
                EXPECT_GT(found(frames, twice, ordered), 0) << i;
                // one in the place of another
                auto instead = frames;
                instead[i] = frames[(i + 2) % frames.size()];
                EXPECT_GT(found(frames, instead, ordered), 0) << i;
            }
}

TEST(Difference, Order)
{
    for (const auto &frames : {ip4(100), ip6()}) {
        auto swapped = frames;
        std::swap(swapped[1], swapped[2]);
        EXPECT_GT(found(frames, swapped), 0);
        EXPECT_EQ(found(frames, swapped, false), 0);
    }
    // of one destination it counts always
    auto swapped = fragments(100);
    std::swap(swapped[2], swapped[3]);
    EXPECT_GT(found(fragments(100), swapped, false), 0);
}

TEST(Difference, Identifiers)
{
    auto none = ip4(100);
    for (auto &f : none) {
        put(f, Frame::ip + 4, 0);
        make_header_sum(f);
    }
    EXPECT_GT(found(ip4(100), none), 0);
    EXPECT_GT(found(none, ip4(100)), 0);
    EXPECT_EQ(found(none, none), 0);
    // some have one
    auto some = none;
    for (size_t i : {1, 2})
        some[i] = ip4(100)[i];
    EXPECT_EQ(found(some, some), 0);
    EXPECT_GT(found(some, none), 0);
    EXPECT_GT(found(none, some), 0);
    EXPECT_GT(found(some, ip4(100)), 0);

    // fragments of two datagrams, two datagrams with one, and none at all
    const size_t ident = fragments(100)[0].fragment_header() + 4;
    ASSERT_EQ(ident, Frame::ip + 40 + 8 + 4);
    auto torn = fragments(100), same = fragments(100), zero = fragments(100);
    torn[3].bytes[ident]++;
    EXPECT_GT(found(fragments(100), torn), 0);
    for (size_t i : {2, 3})
        same[i].bytes.replace(ident, 4, same[0].bytes, ident, 4);
    EXPECT_GT(found(fragments(100), same), 0);
    for (size_t i : {2, 3})
        zero[i].bytes.replace(ident, 4, 4, '\0');
    EXPECT_GT(found(fragments(100), zero), 0);
}

// What a frame says of itself is found behind the headers that IPv6 may have.
TEST(Difference, ExtensionHeaders)
{
    const std::string hop("\x3c\0\1\4\0\0\0\0", 8), dst("\x11\1\1\14\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    Frame f = ip6(1, IPPROTO_HOPOPTS, hop + dst + std::string(8, 'h') + "data");
    EXPECT_TRUE(f.is_ip6());
    EXPECT_EQ(f.protocol(), IPPROTO_UDP);
    EXPECT_EQ(f.header_length(), 64u);
    EXPECT_EQ(f.fragment_header(), 0u);
    EXPECT_EQ(f.data(), "data");
    EXPECT_FALSE(f.is_discovery());
    EXPECT_FALSE(fragments(1)[0].is_later_fragment());
    EXPECT_TRUE(fragments(1)[1].is_later_fragment());
    for (auto [type, is] : {std::pair('\1', false), {'\2', false}, {'\x87', true}, {'\x8f', true}})
        EXPECT_EQ(ip6(1, IPPROTO_HOPOPTS, "\x3a" + hop.substr(1) + type + std::string(7, 0))
                      .is_discovery(),
                  is);
}

} // namespace
} // namespace conformance
