// SPDX-License-Identifier: GPL-2.0-only
// ESP for some members of either family: their data and the others' are what the
// program gave, whoever encrypts and whoever decrypts.

#include "mirror6.hpp"

namespace conformance {
namespace {

constexpr size_t large = 1360; // with a tunnel's headers it is one packet

// In one family: the members' network, whose first host is theirs to be tunnelled to,
// the sender's, and the length of an address.
struct Family {
    const char *name;
    std::string there, here, length, flags;
    std::string net(const std::string &prefix) const
    {
        return prefix + (is_ip6() ? "/64" : "0/24");
    }
    bool is_ip6() const { return length == "128"; }
    Address at(const std::string &text, uint16_t port) const
    {
        return is_ip6() ? Address(address6(text, port)) : Address(address(text, port));
    }
};

std::ostream &operator<<(std::ostream &out, const Family &f) { return out << f.name; }

using At = ReceiverAt<Address>;

Addresses addresses_of(const std::vector<At> &receivers)
{
    Addresses addrs;
    for (const auto &r : receivers)
        addrs.push_back(r.address());
    return addrs;
}

// Members with a receiver each, some of which are reached by ESP: in both worlds, so
// that what a group's members receive can be held against what sendto() sends. The
// last of these is reached by a tunnel to another address.
class Encrypted : public Mirrored6, public testing::WithParamInterface<Family> {
protected:
    static constexpr size_t n = 9;
    static constexpr size_t esp[] = {1, 4, 7};

    static const Family &family() { return GetParam(); }
    static std::string ip(size_t member) { return family().there + std::to_string(member + 1); }
    static std::string sender() { return family().here + "1"; }
    // A network's host to be given to a device, or one address.
    static std::string add(const std::string &ip, const std::string &length,
                           const std::string &device)
    {
        return "addr add " + ip + "/" + length + " dev " + device + family().flags + "\n";
    }
    static std::string add_host(const std::string &ip, const std::string &device)
    {
        return add(ip, family().is_ip6() ? "64" : "24", device);
    }
    // A router asks for its IPv6 neighbours by a link's own address.
    static std::string add_local(const std::string &nr, const std::string &device)
    {
        return family().is_ip6() ? add_host("fe80::" + nr, device) : "";
    }
    // Lines for ip, for either end; source is the tunnel's.
    static std::string states(const std::string &source)
    {
        std::string lines;
        for (size_t i : esp) {
            const std::string nr = std::to_string(i + 10);
            lines += "xfrm state add " +
                     (is_tunnel(i) ? ends(source) : "src " + sender() + " dst " + ip(i)) +
                     " proto esp spi " + nr + " reqid " + nr + " mode " +
                     (is_tunnel(i) ? "tunnel" : "transport") + key + nr + " 128\n";
        }
        return lines;
    }
    static std::string policies(const std::string &source, const std::string &dir)
    {
        std::string lines;
        for (size_t i : esp)
            lines += "xfrm policy add src " + sender() + "/" + family().length + " dst " + ip(i) +
                     "/" + family().length + " dir " + dir + " tmpl " +
                     (is_tunnel(i) ? ends(source) : "") + " proto esp reqid " +
                     std::to_string(i + 10) + " mode " + (is_tunnel(i) ? "tunnel" : "transport") +
                     "\n";
        return lines;
    }
    // The members' end. What comes clear where it is to be encrypted gets no further.
    static std::string receiving(const std::string &device, const std::string &source)
    {
        std::string lines = add_host(family().there + "100", device);
        for (size_t i = 0; i < n; i++)
            lines += add(ip(i), family().length, device);
        return lines + states(source) + policies(source, "in");
    }
    // To the peer's own MAC address: it would take nothing else for its own.
    static std::string to_the_peer()
    {
        return "neigh add " + family().here +
               "100 lladdr 02:00:00:00:01:02 dev near nud permanent\nroute add " +
               family().net(family().there) + " via " + family().here + "100 src " + sender() +
               "\n";
    }
    static std::string to_the_peer_no_more()
    {
        return "route del " + family().net(family().there) + "\nneigh del " + family().here +
               "100 dev near\n";
    }
    static std::string back_by(const std::string &how)
    {
        return "route add " + family().net(family().here) + how + "\n";
    }

    // The peers have IPv6 for as long as the test lasts, and say little in it.
    void SetUp() override { ip6_at_peers(true); }
    void TearDown() override
    {
        ip6_at_peers(false);
        Mirrored6::TearDown();
    }

    // Sends in one of the worlds, and compares with that what each member receives.
    static void expect_arrival(World &w, const NetNs &there, bool by_group, size_t fast)
    {
        SCOPED_TRACE(by_group ? "by a group" : "by sendto()");
        std::vector<At> receivers;
        {
            In in(there);
            for (size_t i = 0; i < n; i++)
                receivers.emplace_back(family().at(ip(i), 9));
        }
        In in(*w.sender);
        const auto addrs = addresses_of(receivers);
        Sender s(addrs.family());
        ASSERT_EQ(s.set_raw(addrs.packed().data(), addrs.packed().size()), 0);
        for (size_t size : sizes) {
            SCOPED_TRACE(std::to_string(size) + " bytes");
            expect_sent(s, pattern(size), addrs, by_group, fast);
            for (size_t i = 0; i < n; i++) {
                ASSERT_TRUE(receivers[i].next() == pattern(size)) << "at member " << i;
                EXPECT_TRUE(receivers[i].empty()) << "more at member " << i;
            }
        }
    }
    static void expect_sent(const Sender &s, const std::string &data, const Addresses &to,
                            bool by_group, size_t fast)
    {
        const auto size = static_cast<long>(data.size());
        SendTrace::of_all().take();
        if (!by_group) {
            for (const auto &addr : to)
                EXPECT_EQ(
                    result(sendto(s.fd(), data.data(), data.size(), 0, &addr.any, addr.length())),
                    size);
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
        return "src " + source + " dst " + family().there + "100";
    }
    static void ip6_at_peers(bool on)
    {
        for (auto *w : {&mirror().one, &mirror().group}) {
            In in(*w->peer);
            if (on)
                enable_quietly("far");
            else
                std::ofstream("/proc/sys/net/ipv6/conf/far/disable_ipv6") << 1;
        }
    }

protected:
    // In the thread's namespace.
    static void enable_quietly(const std::string &device)
    {
        std::ofstream("/proc/sys/net/ipv6/conf/lo/disable_ipv6") << 0;
        const std::string conf = "/proc/sys/net/ipv6/conf/" + device + "/";
        std::ofstream(conf + "mldv2_unsolicited_report_interval") << 1;
        std::ofstream(conf + "router_solicitations") << 0;
        std::ofstream(conf + "accept_dad") << 0;
        std::ofstream(conf + "addr_gen_mode") << 1;
        std::ofstream(conf + "disable_ipv6") << 0;
    }
};

const Family v4{"V4", "10.55.0.", "10.1.0.", "32", ""},
    v6{"V6", "fd55::", "fd01::", "128", " nodad"};

INSTANTIATE_TEST_SUITE_P(By, Encrypted, testing::Values(v4, v6), testing::PrintToStringParamName());

const std::string xfrm_no_more = "xfrm policy flush\nxfrm state flush\n";

// Where there are policies a group's datagrams are sendto()'s in every respect.
TEST_P(Encrypted, ByTheSender)
{
    mirror().peer_ip(receiving("far", family().here + "5") + back_by(" dev far"));
    mirror().ip(to_the_peer() + states(family().here + "5") + policies(family().here + "5", "out"));
    for (bool by_group : {false, true}) {
        auto &w = by_group ? mirror().group : mirror().one;
        expect_arrival(w, *w.peer, by_group, 0);
        expect_ciphertext(w.taps.at("far").take(on_the_wire));
    }
    mirror().ip(xfrm_no_more + to_the_peer_no_more());
    mirror().peer_ip(xfrm_no_more + "addr flush dev far");
}

void forward(const World &w, bool on)
{
    In in(*w.peer);
    std::ofstream("/proc/sys/net/ipv4/ip_forward") << on;
    std::ofstream("/proc/sys/net/ipv6/conf/all/forwarding") << on;
}

// A router encrypts: it has the sender's own sk_buffs, which share their data.
TEST_P(Encrypted, ByARouter)
{
    mirror().ip(to_the_peer());
    for (bool by_group : {false, true}) {
        auto &w = by_group ? mirror().group : mirror().one;
        NetNs beyond;
        beyond.leave();
        const std::string router = family().there + "101";
        feed(*w.peer, "ip -batch -",
             "link add out type veth peer name in netns /proc/" + std::to_string(getpid()) +
                 "/fd/" + std::to_string(beyond.fd()) + "\n");
        forward(w, true);
        {
            In in(*w.peer);
            enable_quietly("out");
        }
        {
            In in(beyond);
            enable_quietly("in");
        }
        feed(*w.peer, "ip -batch -",
             "link set out up\n" + add_local("1", "out") + add_host(router, "out") +
                 back_by(" dev far") + states(router) + policies(router, "out"));
        feed(beyond, "ip -batch -",
             "link set in up\n" + add_local("2", "in") + receiving("in", router) +
                 back_by(" via " + router));
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
        forward(w, false);
        feed(*w.peer, "ip -batch -",
             xfrm_no_more + "link del out\nroute del " + family().net(family().here) +
                 " dev far\n");
    }
    mirror().ip(to_the_peer_no_more());
}

// The data are ESP, and a member decrypts what it gets, where it is: right or wrong,
// the others have what was sent.
TEST_P(Encrypted, ByTheProgram)
{
    mirror().ip(to_the_peer());
    const std::string there = family().there + "100";
    mirror().peer_ip(add_host(there, "far") + back_by(" dev far") + "xfrm state add src " +
                     sender() + " dst " + there + " proto esp spi 4096 mode transport" + key +
                     "99 128 encap espinudp 4000 4500 " + (family().is_ip6() ? "::" : "0.0.0.0"));
    for (bool by_group : {false, true}) {
        auto &w = by_group ? mirror().group : mirror().one;
        w.taps.erase("far");
        std::vector<At> receivers;
        {
            In in(*w.peer);
            for (size_t i = 0; i < n; i++)
                receivers.emplace_back(
                    family().at(there, static_cast<uint16_t>(i == esp[0] ? 4500 : 9000 + i)));
        }
        const int encap = UDP_ENCAP_ESPINUDP;
        ASSERT_EQ(setsockopt(receivers[esp[0]].fd(), SOL_UDP, UDP_ENCAP, &encap, sizeof(encap)), 0);
        In in(*w.sender);
        const auto addrs = addresses_of(receivers);
        Sender s(addrs.family());
        ASSERT_EQ(s.set_raw(addrs.packed().data(), addrs.packed().size()), 0);
        for (size_t size : sizes) {
            SCOPED_TRACE(std::to_string(size) + " bytes");
            const std::string data = std::string("\0\0\x10\0\0\0\0\1", 8) + pattern(size);
            expect_sent(s, data, addrs, by_group, n);
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
    mirror().ip(to_the_peer_no_more());
    mirror().peer_ip(xfrm_no_more + "addr flush dev far");
}

} // namespace
} // namespace conformance
