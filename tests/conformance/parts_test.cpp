// SPDX-License-Identifier: GPL-2.0-only
// Sends to a part of a group, and with what is each member's own: what leaves is
// what sendto() sends to those members, with what is theirs.

#include "duel.hpp"

namespace conformance {
namespace {

class Parts : public Mirrored {};

constexpr size_t n = 8;

Shot all_but(std::set<size_t> who)
{
    Shot shot;
    shot.left_out = std::move(who);
    return shot;
}

Shot range(size_t first, size_t count, std::set<size_t> but = {})
{
    Shot shot = all_but(std::move(but));
    shot.first = first;
    shot.count = count;
    return shot;
}

// What is the members' own, in so many bytes.
std::vector<std::string> own(size_t length)
{
    std::vector<std::string> own;
    const std::string bytes = pattern(n * length);
    for (size_t i = 0; i < n; i++)
        own.push_back(bytes.substr(i * length, length));
    return own;
}

struct Case {
    const char *name;
    Shot shot;
};

const std::vector<Case> &parts()
{
    static const std::vector<Case> cases{
        {"all but one", all_but({3})},
        {"all but the first and the last", all_but({0, n - 1})},
        {"a range", range(2, 4)},
        {"the rest", range(5, n)},
        {"a range less two", range(1, 6, {2, 5})},
    };
    return cases;
}

void expect_conformant(Mirror &mirror, const Duel::Setup &setup, bool fast)
{
    for (bool sum : {true, false}) {
        SCOPED_TRACE(sum ? "checksum offloaded" : "checksum not offloaded");
        mirror.checksum("near", sum);
        Duel duel(mirror, members("10.1.0.", n), setup);
        for (const auto &c : parts()) {
            SCOPED_TRACE(c.name);
            for (size_t length : {0, 1, 40, 333}) {
                for (size_t size : {0, 100, 1001}) {
                    SCOPED_TRACE(std::to_string(length) + " and " + std::to_string(size));
                    Shot shot = c.shot;
                    shot.data = pattern(size);
                    if (length)
                        shot.own = own(length);
                    size_t reached = 0;
                    for (size_t i = 0; i < n; i++)
                        reached += shot.is_for(i);
                    // no small head has room for what is long and each one's own
                    duel.send(shot, {.fast = fast && length < 333 ? reached : 0,
                                     .frames = {{"far", reached}}});
                }
            }
        }
    }
    mirror.checksum("near", true);
}

TEST_F(Parts, OnTheFastPath) { expect_conformant(mirror(), {}, true); }

TEST_F(Parts, OnTheTruePath)
{
    auto nops = [](const Sender &s) {
        const std::string nops("\x01\x01\x01\x01", 4);
        if (setsockopt(s.fd(), SOL_IP, IP_OPTIONS, nops.data(), 4) < 0)
            throw std::runtime_error(strerror(errno));
    };
    expect_conformant(mirror(), nops, false);
}

TEST_F(Parts, InFragments)
{
    Duel duel(mirror(), members("10.1.0.", n));
    for (const auto &c : parts()) {
        SCOPED_TRACE(c.name);
        for (size_t length : {0, 7, 1480}) {
            Shot shot = c.shot;
            shot.data = pattern(2000);
            if (length)
                shot.own = own(length);
            size_t reached = 0;
            for (size_t i = 0; i < n; i++)
                reached += shot.is_for(i);
            size_t fragments = (length + 2000 + 8 + 1479) / 1480;
            duel.send(shot, {.fast = 0, .frames = {{"far", reached * fragments}}});
        }
    }
}

} // namespace
} // namespace conformance
