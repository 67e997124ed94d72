// SPDX-License-Identifier: GPL-2.0-only
// Lengths of data and numbers of members, each where something changes: data are
// copied or shared, whole or in fragments, one batch or several.

#include "duel.hpp"

namespace conformance {
namespace {

class Sizes : public Mirrored {};

constexpr size_t headers = 28;
constexpr size_t whole = 1500 - headers; // the most that near takes in one piece

size_t fragments(size_t size, size_t mtu)
{
    size_t piece = (mtu - 20) / 8 * 8;
    return (size + 8 + piece - 1) / piece;
}

void expect_all_fast(Duel &duel, size_t size)
{
    SCOPED_TRACE(std::to_string(size) + " bytes");
    duel.send({.data = pattern(size)}, duel.all_fast());
}

TEST_F(Sizes, OnePacket)
{
    Duel duel(mirror(), members("10.1.0.", 5));
    for (size_t size : {0,   1,   2,   3,    9,    17,   18,   19,   50,   100, 500,
                        511, 512, 513, 1000, 1023, 1024, 1443, 1470, 1471, 1472})
        expect_all_fast(duel, size);
}

// Small data are copied into each datagram, more are shared. Where the limit is
// depends on the configuration; it is somewhere here.
TEST_F(Sizes, CopiedOrShared)
{
    Duel duel(mirror(), members("10.1.0.", 3));
    for (size_t size = 128; size < 420; size += size >= 200 && size < 300 ? 1 : 9)
        expect_all_fast(duel, size);
}

// The same with a sum that the sender makes, and for a device that takes only
// what is in one piece.
TEST_F(Sizes, WithoutOffloads)
{
    for (auto [sum, sg] : {std::pair(false, true), {true, false}, {false, false}}) {
        SCOPED_TRACE(std::string(sum ? "checksum" : "no checksum") +
                     (sg ? ", scatter-gather" : ", no scatter-gather"));
        mirror().checksum("near", sum);
        mirror().scatter_gather("near", sg);
        Duel duel(mirror(), members("10.1.0.", 3));
        for (size_t size : {0,   1,   2,   99,  100, 128, 137, 150, 199, 200, 211,  250,  255, 256,
                            257, 270, 271, 272, 273, 274, 299, 300, 330, 331, 1000, 1471, 1472})
            expect_all_fast(duel, size);
        for (size_t size : {1473, 4001}) {
            SCOPED_TRACE(std::to_string(size) + " bytes");
            duel.send({.data = pattern(size)}, duel.all_true(fragments(size, 1500)));
        }
    }
    mirror().checksum("near", true);
    mirror().scatter_gather("near", true);
}

TEST_F(Sizes, Fragments)
{
    Duel duel(mirror(), members("10.1.0.", 3));
    for (size_t size : {whole + 1, whole + 2, 2952ul, 2953ul, 20000ul, 65507ul}) {
        SCOPED_TRACE(std::to_string(size) + " bytes");
        duel.send({.data = pattern(size)}, duel.all_true(fragments(size, 1500)));
    }
    expect_all_fast(duel, whole);
}

TEST_F(Sizes, LargerMtu)
{
    Duel duel(mirror(), members("10.2.0.", 4));
    for (size_t size : {0, 271, 1472, 1473, 4095, 4096, 4097, 8971, 8972}) {
        SCOPED_TRACE(std::to_string(size) + " bytes");
        duel.send({.data = pattern(size)}, duel.all_fast("far2"));
    }
    duel.send({.data = pattern(8973)}, duel.all_true(2, "far2"));
    duel.send({.data = pattern(9000)}, duel.all_true(2, "far2"));
}

TEST_F(Sizes, Loopback)
{
    if (mirror().first("port 9008"))
        mirror().listen(9008);
    std::vector<sockaddr_in> addrs;
    for (std::string last : {"1", "2", "3"})
        addrs.push_back(address("127.0.0." + last, 9008));
    Duel duel(mirror(), addrs);
    for (size_t size : {0, 1, 271, 1473, 9000, 32767, 32768, 32769, 40000, 65506, 65507}) {
        SCOPED_TRACE(std::to_string(size) + " bytes");
        duel.send({.data = pattern(size)}, duel.all_fast("lo"));
    }
}

// Data that the program has in pieces.
TEST_F(Sizes, Pieces)
{
    for (bool sum : {true, false}) {
        mirror().checksum("near", sum);
        Duel duel(mirror(), members("10.1.0.", 3));
        duel.send({.data = pattern(100), .pieces = {0, 1, 2, 33}}, duel.all_fast());
        duel.send({.data = pattern(1000), .pieces = {1, 511, 0, 7}}, duel.all_fast());
        duel.send({.data = pattern(1472), .pieces = {1471}}, duel.all_fast());
    }
    mirror().checksum("near", true);
}

TEST_F(Sizes, MembersAroundABatch)
{
    mirror().ip("route add 10.30.0.0/16 via 10.1.0.254");
    for (size_t n : {1, 2, 63, 64, 65, 130}) {
        SCOPED_TRACE(std::to_string(n) + " members");
        Duel duel(mirror(), many(0x0a1e0001, n));
        for (size_t size : {100, 1000})
            for (int i = 0; i < 2; i++)
                expect_all_fast(duel, size);
    }
    mirror().ip("route del 10.30.0.0/16");
}

// Several at one address, and one path for many.
TEST_F(Sizes, MembersAtOneAddress)
{
    std::vector<sockaddr_in> addrs;
    for (uint16_t port = 9000; port < 9008; port++)
        addrs.push_back(address(port % 2 ? "10.1.0.10" : "10.1.0.11", port));
    Duel duel(mirror(), addrs);
    for (size_t size : {1, 300, 1472})
        expect_all_fast(duel, size);
}

} // namespace
} // namespace conformance
