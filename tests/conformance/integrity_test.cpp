// SPDX-License-Identifier: GPL-2.0-only
// The data that datagrams share stay what the program gave: whoever changes one
// member's changes no other's.

#include "duel.hpp"

#include <thread>

namespace conformance {
namespace {

class Integrity : public Mirrored {
protected:
    void SetUp() override
    {
        if (mirror().first("10.50"))
            mirror().ip("route add 10.50.0.0/16 via 10.1.0.254");
    }
};

constexpr size_t large = 1400;

// What arrives of one group send, with nothing to compare it to; the sender and
// its namespace are the group's. All take the fast path.
std::vector<Frame> send(World &w, const Sender &s, std::string_view data, size_t n)
{
    SendTrace::of_all().take();
    EXPECT_EQ(s.send(data), static_cast<long>(data.size()));
    auto events = SendTrace::of_all().take();
    EXPECT_EQ(events.size(), 1u);
    for (const auto &e : events)
        EXPECT_EQ(e.fast, n);
    auto frames = w.taps.at("far").take(n);
    EXPECT_EQ(frames.size(), n);
    return frames;
}

// Whose data are not what was sent.
std::set<std::string> changed(const std::vector<Frame> &frames, const std::string &data)
{
    std::set<std::string> who;
    for (const auto &f : frames)
        if (f.data() != data)
            who.insert(f.to());
    return who;
}

TEST_F(Integrity, ManyMembers)
{
    constexpr size_t n = 150;
    for (bool sum : {true, false}) {
        mirror().checksum("near", sum);
        Duel duel(mirror(), many(0x0a320001, n));
        for (size_t size : {large, large + 1})
            duel.send({.data = pattern(size)}, duel.all_fast());
    }
    mirror().checksum("near", true);
}

// Rules that write into the data of every third member.
TEST_F(Integrity, SomeAreMangled)
{
    constexpr size_t n = 12;
    std::string set;
    for (size_t i = 0; i < n; i += 3)
        set += (i ? ", 10.50.0." : "10.50.0.") + std::to_string(i + 1);
    for (std::string hook :
         {"filter hook output priority 0;", "filter hook postrouting priority 0;"}) {
        Rules rules(
            mirror(), "ip",
            {{hook, "ip daddr { " + set + " } @th,64,32 set 0xdeadbeef @th,1024,64 set 0x1234"}});
        for (bool sg : {true, false}) {
            mirror().scatter_gather("near", sg);
            Duel duel(mirror(), many(0x0a320001, n));
            duel.send({.data = pattern(large)}, duel.all_fast());
            EXPECT_EQ(changed(duel.received("far"), pattern(large)),
                      (std::set<std::string>{"10.50.0.1", "10.50.0.4", "10.50.0.7", "10.50.0.10"}));
        }
        mirror().scatter_gather("near", true);
    }
}

// An action at the device that writes into one member's data.
TEST_F(Integrity, OneIsEditedAtTheDevice)
{
    constexpr size_t n = 8;
    mirror().tc("qdisc add dev near clsact\n"
                "filter add dev near egress protocol ip u32 match ip dst 10.50.0.3/32 "
                "action pedit munge offset 28 u32 set 0xdeadbeef munge offset 1000 u32 set 0x1234");
    {
        Duel duel(mirror(), many(0x0a320001, n));
        for (size_t size : {large, large}) {
            duel.send({.data = pattern(size)}, duel.all_fast());
            EXPECT_EQ(changed(duel.received("far"), pattern(size)),
                      std::set<std::string>{"10.50.0.3"});
        }
    }
    mirror().tc("qdisc del dev near clsact");
}

// Some members' datagrams are encrypted, for their route says so, or because the
// packet filter changes where they go: in place, if nobody told better.
TEST_F(Integrity, SomeAreEncrypted)
{
    constexpr size_t n = 9;
    const std::string key = " aead rfc4106(gcm(aes)) 0x" + std::string(40, '7') + " 128\n";
    const std::string state =
        "xfrm state add src 10.1.0.1 dst 10.50.0.250 proto esp spi 1 mode transport" + key;
    auto &w = mirror().group;
    feed(*w.sender, "ip -batch -",
         state + "xfrm policy add src 10.1.0.1/32 dst 10.50.0.250/32 dir out "
                 "tmpl proto esp mode transport\n");
    feed(*w.peer, "ip -batch -",
         "addr add 10.50.0.250/32 dev far\nroute add default dev far\n" + state);
    feed(*w.sender, "nft -f -",
         "table ip t {\n chain c {\n type nat hook output priority -100;\n"
         "ip daddr { 10.50.0.2, 10.50.0.8 } udp dport 9 dnat to 10.50.0.250:9\n }\n}\n");
    {
        In in(*w.sender);
        auto addrs = many(0x0a320001, n);
        addrs[4] = address("10.50.0.250", 9);
        Sender s;
        ASSERT_EQ(s.set(addrs), 0);
        for (int round = 0; round < 5; round++) {
            const std::string data = pattern(large - static_cast<size_t>(round));
            SendTrace::of_all().take();
            EXPECT_EQ(s.send(data), static_cast<long>(data.size()));
            auto events = SendTrace::of_all().take();
            ASSERT_EQ(events.size(), 1u);
            EXPECT_EQ(events[0].fast, 0u); // there is a policy
            EXPECT_EQ(events[0].sent, n);
            size_t clear = 0, encrypted = 0;
            for (const auto &f : w.taps.at("far").take(n)) {
                if (f.at(Frame::ip + 9) == IPPROTO_ESP) {
                    encrypted++;
                    EXPECT_EQ(f.bytes.find(data.substr(100, 16)), std::string::npos);
                } else {
                    clear++;
                    EXPECT_TRUE(f.data() == data) << "to " << f.to();
                }
            }
            EXPECT_EQ(clear, n - 3);
            EXPECT_EQ(encrypted, 3u);
        }
    }
    feed(*w.sender, "nft -f -", "flush ruleset\n");
    feed(*w.sender, "ip -batch -", "xfrm policy flush\nxfrm state flush\n");
    feed(*w.peer, "ip -batch -",
         "xfrm state flush\nroute del default dev far\naddr del 10.50.0.250/32 dev far\n");
}

// The program's memory changes while the send reads it: what was read is the
// same for all members, and so is what their checksums are of.
TEST_F(Integrity, MemoryThatChanges)
{
    constexpr size_t n = 20;
    auto &w = mirror().group;
    for (bool sum : {true, false})
        for (size_t size : {200ul, large}) {
            SCOPED_TRACE(std::to_string(size) +
                         (sum ? " bytes" : " bytes, checksum not offloaded"));
            mirror().checksum("near", sum);
            std::string buffer(size, '\0');
            volatile char *shared = buffer.data();
            std::atomic<bool> done = false;
            std::thread writer([&] {
                stay_on(1);
                for (char c = 1; !done; c++)
                    for (size_t i = 0; i < size; i++)
                        shared[i] = c;
            });
            {
                In in(*w.sender);
                Sender s;
                ASSERT_EQ(s.set(many(0x0a320001, n)), 0);
                std::set<std::string> seen;
                // more if the writer had no processor meanwhile
                for (int round = 0; round < 30 || (seen.size() < 2 && round < 1000); round++) {
                    auto frames = send(w, s, buffer, n);
                    for (const auto &f : frames) {
                        seen.insert(f.data());
                        EXPECT_TRUE(f.data() == frames[0].data()) << "in round " << round;
                        if (!sum) {
                            EXPECT_TRUE(f.udp_sum_is_right()) << "in round " << round;
                        }
                    }
                }
                EXPECT_GT(seen.size(), 1u) << "nobody wrote";
            }
            done = true;
            writer.join();
        }
    mirror().checksum("near", true);
}

} // namespace
} // namespace conformance
