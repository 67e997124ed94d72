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

// Members with a receiver each, some of which are reached by ESP: in both worlds, so
// that what a group's members receive can be held against what sendto() sends. The
// last of these is reached by a tunnel to another address.
class Encrypted : public Integrity {
protected:
    static constexpr size_t n = 9;
    static constexpr size_t esp[] = {1, 4, 7};
    static std::string ip(size_t member) { return "10.55.0." + std::to_string(member + 1); }
    // Lines for ip, for either end; source is the tunnel's.
    static std::string states(const std::string &source)
    {
        std::string lines;
        for (size_t i : esp) {
            const std::string nr = std::to_string(i + 10);
            lines += "xfrm state add " +
                     (is_tunnel(i) ? ends(source) : "src 10.1.0.1 dst " + ip(i)) +
                     " proto esp spi " + nr + " reqid " + nr + " mode " +
                     (is_tunnel(i) ? "tunnel" : "transport") + key + nr + " 128\n";
        }
        return lines;
    }
    static std::string policies(const std::string &source, const std::string &dir)
    {
        std::string lines;
        for (size_t i : esp)
            lines += "xfrm policy add src 10.1.0.1/32 dst " + ip(i) + "/32 dir " + dir + " tmpl " +
                     (is_tunnel(i) ? ends(source) : "") + " proto esp reqid " +
                     std::to_string(i + 10) + " mode " + (is_tunnel(i) ? "tunnel" : "transport") +
                     "\n";
        return lines;
    }
    // The members' end. What comes clear where it is to be encrypted gets no further.
    static std::string receiving(const std::string &device, const std::string &source)
    {
        std::string lines = "addr add 10.55.0.100/24 dev " + device + "\n";
        for (size_t i = 0; i < n; i++)
            lines += "addr add " + ip(i) + "/32 dev " + device + "\n";
        return lines + states(source) + policies(source, "in");
    }

    // Sends in one of the worlds, and compares with that what each member receives.
    static void expect_arrival(World &w, const NetNs &there, bool by_group, size_t fast)
    {
        SCOPED_TRACE(by_group ? "by a group" : "by sendto()");
        std::vector<Receiver> receivers;
        {
            In in(there);
            for (size_t i = 0; i < n; i++)
                receivers.emplace_back(ip(i), 9);
        }
        In in(*w.sender);
        Sender s;
        ASSERT_EQ(s.set(addresses(receivers)), 0);
        for (size_t size : sizes) {
            SCOPED_TRACE(std::to_string(size) + " bytes");
            expect_sent(s, pattern(size), addresses(receivers), by_group, fast);
            for (size_t i = 0; i < n; i++) {
                ASSERT_TRUE(receivers[i].next() == pattern(size)) << "at member " << i;
                EXPECT_TRUE(receivers[i].empty()) << "more at member " << i;
            }
        }
    }
    static void expect_sent(const Sender &s, const std::string &data,
                            const std::vector<sockaddr_in> &to, bool by_group, size_t fast)
    {
        const auto size = static_cast<long>(data.size());
        SendTrace::of_all().take();
        if (!by_group) {
            for (const auto &addr : to)
                EXPECT_EQ(s.send_to(data, addr), size);
            return;
        }
        EXPECT_EQ(s.send(data), size);
        auto events = SendTrace::of_all().take();
        ASSERT_EQ(events.size(), 1u);
        EXPECT_EQ(events[0].fast, fast);
        EXPECT_EQ(events[0].sent, to.size());
    }
    // On the wire it is seen that those are encrypted, and no others. What came by a
    // tunnel is received by the device once more when it is decrypted.
    static void expect_ciphertext(const std::vector<Frame> &frames)
    {
        EXPECT_EQ(frames.size(), on_the_wire);
        size_t encrypted = 0;
        for (const auto &f : frames) {
            const bool is_esp = f.protocol() == IPPROTO_ESP;
            encrypted += is_esp;
            EXPECT_EQ(f.bytes.find(pattern(100).substr(40)) == std::string::npos, is_esp) << f.to();
        }
        EXPECT_EQ(encrypted, std::size(esp) * std::size(sizes));
    }

    static constexpr size_t sizes[] = {100, 1000, large, 100, 1000, large};
    static constexpr size_t on_the_wire = (n + 1) * std::size(sizes);
    static inline const std::string key = " aead rfc4106(gcm(aes)) 0x" + std::string(38, '7');

private:
    static bool is_tunnel(size_t member) { return member == esp[2]; }
    static std::string ends(const std::string &source)
    {
        return "src " + source + " dst 10.55.0.100";
    }
};

// To the peer's own MAC address: it would take nothing else for its own.
const std::string to_the_peer =
    "neigh add 10.1.0.100 lladdr 02:00:00:00:01:02 dev near nud permanent\n"
    "route add 10.55.0.0/24 via 10.1.0.100\n";
const std::string to_the_peer_no_more = "route del 10.55.0.0/24\nneigh del 10.1.0.100 dev near\n";
const std::string xfrm_no_more = "xfrm policy flush\nxfrm state flush\n";

// Where there are policies a group's datagrams are sendto()'s in every respect.
TEST_F(Encrypted, ByTheSender)
{
    mirror().peer_ip(receiving("far", "10.1.0.5") + "route add 10.1.0.0/24 dev far");
    mirror().ip(to_the_peer + states("10.1.0.5") + policies("10.1.0.5", "out"));
    for (bool by_group : {false, true}) {
        auto &w = by_group ? mirror().group : mirror().one;
        expect_arrival(w, *w.peer, by_group, 0);
        expect_ciphertext(w.taps.at("far").take(on_the_wire));
    }
    mirror().ip(xfrm_no_more + to_the_peer_no_more);
    mirror().peer_ip(xfrm_no_more + "addr flush dev far");
}

// A router encrypts: it has the sender's own sk_buffs, which share their data.
TEST_F(Encrypted, ByARouter)
{
    mirror().ip(to_the_peer);
    for (bool by_group : {false, true}) {
        auto &w = by_group ? mirror().group : mirror().one;
        NetNs beyond;
        beyond.leave();
        feed(*w.peer, "ip -batch -",
             "link add out type veth peer name in netns /proc/" + std::to_string(getpid()) +
                 "/fd/" + std::to_string(beyond.fd()) +
                 "\nlink set out up\naddr add 10.55.0.101/24 dev out\n"
                 "route add 10.1.0.0/24 dev far\n" +
                 states("10.55.0.101") + policies("10.55.0.101", "out"));
        feed(beyond, "ip -batch -",
             "link set in up\n" + receiving("in", "10.55.0.101") +
                 "route add 10.1.0.0/24 via 10.55.0.101\n");
        {
            In in(*w.peer);
            std::ofstream("/proc/sys/net/ipv4/ip_forward") << 1;
        }
        std::optional<Tap> wire;
        {
            In in(beyond);
            wire.emplace("in");
        }
        expect_arrival(w, beyond, by_group, n);
        expect_ciphertext(wire->take(on_the_wire));
        // who looks at frames has them copied before they are written to
        wire.reset();
        w.taps.erase("far");
        expect_arrival(w, beyond, by_group, n);

        In in(*w.peer);
        w.taps.emplace("far", Tap("far"));
        std::ofstream("/proc/sys/net/ipv4/ip_forward") << 0;
        feed(*w.peer, "ip -batch -",
             xfrm_no_more + "link del out\nroute del 10.1.0.0/24 dev far\n");
    }
    mirror().ip(to_the_peer_no_more);
}

// The data are ESP, and a member decrypts what it gets, where it is: right or wrong,
// the others have what was sent.
TEST_F(Encrypted, ByTheProgram)
{
    mirror().ip(to_the_peer);
    mirror().peer_ip("addr add 10.55.0.100/24 dev far\nroute add 10.1.0.0/24 dev far\n"
                     "xfrm state add src 10.1.0.1 dst 10.55.0.100 proto esp spi 4096 "
                     "mode transport" +
                     key + "99 128 encap espinudp 4000 4500 0.0.0.0");
    for (bool by_group : {false, true}) {
        auto &w = by_group ? mirror().group : mirror().one;
        w.taps.erase("far");
        std::vector<Receiver> receivers;
        {
            In in(*w.peer);
            for (size_t i = 0; i < n; i++)
                receivers.emplace_back("10.55.0.100",
                                       static_cast<uint16_t>(i == esp[0] ? 4500 : 9000 + i));
        }
        const int encap = UDP_ENCAP_ESPINUDP;
        ASSERT_EQ(setsockopt(receivers[esp[0]].fd(), SOL_UDP, UDP_ENCAP, &encap, sizeof(encap)), 0);
        In in(*w.sender);
        Sender s;
        ASSERT_EQ(s.set(addresses(receivers)), 0);
        for (size_t size : sizes) {
            SCOPED_TRACE(std::to_string(size) + " bytes");
            const std::string data = std::string("\0\0\x10\0\0\0\0\1", 8) + pattern(size);
            expect_sent(s, data, addresses(receivers), by_group, n);
            for (size_t i = 0; i < n; i++)
                if (i != esp[0]) {
                    ASSERT_TRUE(receivers[i].next() == data) << "at member " << i;
                }
        }
        EXPECT_TRUE(receivers[esp[0]].empty());
        EXPECT_NE(output_of(*w.peer, "ip -s xfrm state")
                      .find("failed " + std::to_string(std::size(sizes))),
                  std::string::npos)
            << "nothing was decrypted";
        In there(*w.peer);
        w.taps.emplace("far", Tap("far"));
    }
    mirror().ip(to_the_peer_no_more);
    mirror().peer_ip(xfrm_no_more + "addr flush dev far");
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
