// SPDX-License-Identifier: GPL-2.0-only
// Members by IPv6, and of both families in one group.

#include "cases.hpp"
#include "mirror6.hpp"

#include <linux/in6.h>

namespace conformance {
namespace {

class Ip6 : public Mirrored6 {
protected:
    static void SetUpOffloads(bool sum, bool sg)
    {
        mirror().checksum("near", sum);
        mirror().scatter_gather("near", sg);
    }
};

constexpr size_t n = 4;
constexpr size_t whole = 1500 - 48, whole4 = 1500 - 28; // what near takes in one piece
const int near = 2, near2 = 3;                          // see Mirror::Mirror()

Addresses six() { return members6("fd01::", n); }

// Each length as it fits.
void expect_sizes(Duel &duel, std::initializer_list<size_t> sizes)
{
    for (size_t size : sizes) {
        SCOPED_TRACE(std::to_string(size) + " bytes");
        duel.send({.data = pattern(size)}, as_it_fits(duel.members(), size));
    }
}

// Those that the matrix has not.
TEST_F(Ip6, Sizes)
{
    for (auto [sum, sg] : {std::pair(true, true), {false, true}, {true, false}, {false, false}}) {
        SCOPED_TRACE(std::string(sum ? "checksum" : "no checksum") +
                     (sg ? ", scatter-gather" : ", no scatter-gather"));
        SetUpOffloads(sum, sg);
        for (const auto &members : {six(), mixed_members(6)}) {
            Duel duel(mirror(), members);
            expect_sizes(duel, {2, 3, 255, 256, 257, 1000, 2888, 2889, 65487, 1});
        }
    }
    SetUpOffloads(true, true);
}

// More than a batch has, of one family and in turns.
TEST_F(Ip6, ManyMembers)
{
    Change change(mirror(),
                  "route add fd30::/64 via fd01::254\nroute add 10.30.0.0/16 via 10.1.0.254",
                  "route del fd30::/64\nroute del 10.30.0.0/16");
    for (bool both : {false, true}) {
        Addresses addrs;
        for (unsigned i = 1; i <= 130; i++)
            addrs.push_back(both && i % 2 ? Address(address("10.30.0." + std::to_string(i), 9))
                                          : Address(address6("fd30::" + std::to_string(i), 9)));
        Duel duel(mirror(), addrs);
        expect_sizes(duel, {100, 1000, 100});
    }
}

// The analyzer loses sight of what a std::function owns.
// NOLINTBEGIN(clang-analyzer-cplusplus.NewDeleteLeaks)
in6_pktinfo pktinfo(int device, const char *source)
{
    in6_pktinfo info = {};
    info.ipi6_ifindex = static_cast<unsigned>(device);
    info.ipi6_addr = address6(source, 0).sin6_addr;
    return info;
}

Control message(int name, int value) { return Control().add(SOL_IPV6, name, value); }

Duel::Setup six_option(int name, int value) { return option(SOL_IPV6, name, value); }

// near's members by way of near2 too, where nobody but a chosen device leads.
class WayOut {
public:
    explicit WayOut(Mirror &mirror)
        : change_(mirror, "route add fd01::/64 via fd02::254 dev near2 metric 2000",
                  "route del fd01::/64 via fd02::254 dev near2 metric 2000")
    {}

private:
    Change change_;
};

TEST_F(Ip6, OptionsOfTheSocket)
{
    WayOut way(mirror());
    const in6_pktinfo from = pktinfo(0, "fd01::5");
    expect_conformant(
        mirror(), six(),
        {
            {"IPV6_TCLASS with ECN", six_option(IPV6_TCLASS, 0x03)},
            {"IPV6_UNICAST_HOPS 255", six_option(IPV6_UNICAST_HOPS, 255)},
            {"IPV6_UNICAST_HOPS 0", six_option(IPV6_UNICAST_HOPS, 0)},
            {"IPV6_DONTFRAG", six_option(IPV6_DONTFRAG, 1)},
            {"IPV6_AUTOFLOWLABEL off", six_option(IPV6_AUTOFLOWLABEL, 0)},
            {"IPV6_AUTOFLOWLABEL on", six_option(IPV6_AUTOFLOWLABEL, 1)},
            {"IPV6_RECVERR", six_option(IPV6_RECVERR, 1)},
            {"IPV6_PKTINFO", raw_option(SOL_IPV6, IPV6_PKTINFO, &from, sizeof(from))},
            {"IPV6_UNICAST_IF",
             six_option(IPV6_UNICAST_IF, static_cast<int>(htonl(static_cast<unsigned>(near))))},
            {"IPV6_UNICAST_IF near2",
             six_option(IPV6_UNICAST_IF, static_cast<int>(htonl(static_cast<unsigned>(near2)))),
             {},
             0,
             true,
             "far2"},
            {"IPV6_MULTICAST_HOPS", six_option(IPV6_MULTICAST_HOPS, 9)},
            {"SO_SNDBUF", option(SOL_SOCKET, SO_SNDBUF, 1)},
            {"SO_BINDTODEVICE", to_device("near")},
            {"SO_BINDTODEVICE near2", to_device("near2"), {}, 0, true, "far2"},
        });
}

TEST_F(Ip6, ControlMessages)
{
    WayOut way(mirror());
    auto info = [](int device, const char *source) {
        return Control().add(SOL_IPV6, IPV6_PKTINFO, pktinfo(device, source));
    };
    expect_conformant(
        mirror(), six(),
        {
            // no message for IPv4, which is no matter if nobody is sent to by that
            {"IPV6_PKTINFO device", {}, info(near, "::")},
            {"IPV6_PKTINFO device near2", {}, info(near2, "::"), 0, true, "far2"},
            {"IPV6_PKTINFO both", {}, info(near, "fd01::5")},
            {"IPV6_TCLASS over the option", six_option(IPV6_TCLASS, 0x10), message(IPV6_TCLASS, 0)},
            {"IPV6_TCLASS of the option", six_option(IPV6_TCLASS, 0x10), message(IPV6_TCLASS, -1)},
            {"IPV6_HOPLIMIT over the option", six_option(IPV6_UNICAST_HOPS, 200),
             message(IPV6_HOPLIMIT, 1)},
            {"IPV6_HOPLIMIT of the route", {}, message(IPV6_HOPLIMIT, -1)},
            {"IPV6_DONTFRAG", {}, message(IPV6_DONTFRAG, 1)},
            {"IPV6_FLOWINFO of 0", {}, message(IPV6_FLOWINFO, 0)},
            {"SO_MARK", {}, Control().add(SOL_SOCKET, SO_MARK, 5u)},
            {"several",
             {},
             message(IPV6_TCLASS, 0x10)
                 .add(SOL_IPV6, IPV6_HOPLIMIT, 9)
                 .add(SOL_SOCKET, SO_MARK, 3u)},
        });
}

// Headers that the fast path leaves to the other.
TEST_F(Ip6, OfTheTruePath)
{
    const std::string pad("\0\0\1\4\0\0\0\0", 8);
    const int label = static_cast<int>(htonl(0x12345)), both = static_cast<int>(htonl(0x0ab12345));
    auto options = [&](int name) { return raw_option(SOL_IPV6, name, pad.data(), pad.size()); };
    auto header = [&](int name) {
        return Control().add_raw(SOL_IPV6, name, pad.data(), pad.size());
    };
    expect_conformant(
        mirror(), six(),
        {
            {"IPV6_FLOWINFO_SEND", six_option(IPV6_FLOWINFO_SEND, 1), {}, 0, false},
            {"IPV6_FLOWINFO", {}, message(IPV6_FLOWINFO, label), 0, false},
            {"IPV6_FLOWINFO with a class", {}, message(IPV6_FLOWINFO, both), 0, false},
            {"IPV6_HOPOPTS", options(IPV6_HOPOPTS), {}, 0, false},
            {"IPV6_DSTOPTS", options(IPV6_DSTOPTS), {}, 0, false},
            {"IPV6_HOPOPTS message", {}, header(IPV6_HOPOPTS), 0, false},
            {"IPV6_DSTOPTS message", {}, header(IPV6_DSTOPTS), 0, false},
            {"MSG_CONFIRM", {}, {}, MSG_CONFIRM, false},
            {"MSG_ZEROCOPY", option(SOL_SOCKET, SO_ZEROCOPY, 1), {}, MSG_ZEROCOPY, false},
        });
}

// Labels and classes that members have in their addresses.
TEST_F(Ip6, FlowinfoOfMembers)
{
    auto labelled = six();
    for (uint32_t i = 0; i < n; i++)
        labelled[i].in6.sin6_flowinfo = htonl(i << 24 | 0x100U * i);
    Duel duel(mirror(), labelled);
    expect_sizes(duel, {100, 1000}); // which nobody asked for
    duel.each(six_option(IPV6_FLOWINFO_SEND, 1));
    for (size_t size : {100, 1000})
        duel.send({.data = pattern(size)}, duel.all_true());
    duel.each(six_option(IPV6_FLOWINFO_SEND, 0));
    expect_sizes(duel, {100, 1000});
}

// In fragments, too, the headers are all there.
TEST_F(Ip6, HeadersInFragments)
{
    const std::string pad("\0\0\1\4\0\0\0\0", 8);
    struct {
        const char *name;
        Duel::Setup setup;
        Control control = {};
    } cases[] = {
        {"IPV6_AUTOFLOWLABEL off", six_option(IPV6_AUTOFLOWLABEL, 0)},
        {"IPV6_FLOWINFO", {}, message(IPV6_FLOWINFO, static_cast<int>(htonl(0x12345)))},
        {"IPV6_HOPOPTS", raw_option(SOL_IPV6, IPV6_HOPOPTS, pad.data(), pad.size())},
        {"IPV6_DSTOPTS", raw_option(SOL_IPV6, IPV6_DSTOPTS, pad.data(), pad.size())},
    };
    for (const auto &c : cases) {
        SCOPED_TRACE(c.name);
        Duel duel(mirror(), six(), c.setup);
        for (size_t size : {whole + 1, size_t{4000}})
            duel.send({.data = pattern(size), .control = c.control},
                      duel.all_true(pieces(six()[0], size + 8)));
    }
}

// NOLINTEND(clang-analyzer-cplusplus.NewDeleteLeaks)

TEST_F(Ip6, DontFragment)
{
    Duel duel(mirror(), six(), six_option(IPV6_DONTFRAG, 1));
    expect_sizes(duel, {100, whole});
    duel.send({.data = pattern(whole + 1)}, duel.all_fail(EMSGSIZE));
    duel.send({.data = pattern(whole + 1), .control = message(IPV6_DONTFRAG, 0)},
              as_it_fits(six(), whole + 1));
    duel.each(six_option(IPV6_DONTFRAG, 0));
    expect_sizes(duel, {whole, whole + 1});
    duel.send({.data = pattern(whole + 1), .control = message(IPV6_DONTFRAG, 1)},
              duel.all_fail(EMSGSIZE));
}

TEST_F(Ip6, BoundToAnAddress)
{
    for (std::string source : {"fd01::1", "fd01::5", "fd02::1"}) {
        SCOPED_TRACE(source);
        Duel duel(mirror(), six() + members6("fd02::", n), {}, source);
        for (size_t size : {100, 1000})
            duel.send({.data = pattern(size)},
                      {.fast = 2 * n, .frames = {{"far", n}, {"far2", n}}});
    }
}

// Between two sends of a group of both families, and back.
TEST_F(Ip6, ChangedBetweenSends)
{
    WayOut way(mirror());
    Duel duel(mirror(), six());
    struct {
        const char *name;
        Duel::Setup on, off;
        const char *device = "far";
        bool fast = true;
    } changes[] = {
        {"IPV6_TCLASS", six_option(IPV6_TCLASS, 0x10), six_option(IPV6_TCLASS, 0)},
        {"IPV6_UNICAST_HOPS", six_option(IPV6_UNICAST_HOPS, 5), six_option(IPV6_UNICAST_HOPS, -1)},
        {"SO_MARK", option(SOL_SOCKET, SO_MARK, 9), option(SOL_SOCKET, SO_MARK, 0)},
        {"SO_PRIORITY", option(SOL_SOCKET, SO_PRIORITY, 6), option(SOL_SOCKET, SO_PRIORITY, 0)},
        {"IPV6_AUTOFLOWLABEL", six_option(IPV6_AUTOFLOWLABEL, 0),
         six_option(IPV6_AUTOFLOWLABEL, 1)},
        {"UDP_NO_CHECK6_TX", option(SOL_UDP, UDP_NO_CHECK6_TX, 1),
         option(SOL_UDP, UDP_NO_CHECK6_TX, 0)},
        {"SO_BINDTODEVICE", to_device("near2"), to_device(""), "far2"},
        {"IPV6_UNICAST_IF",
         six_option(IPV6_UNICAST_IF, static_cast<int>(htonl(static_cast<unsigned>(near2)))),
         six_option(IPV6_UNICAST_IF, 0), "far2"},
        {"IPV6_FLOWINFO_SEND", six_option(IPV6_FLOWINFO_SEND, 1), six_option(IPV6_FLOWINFO_SEND, 0),
         "far", false},
        {"UDP_SEGMENT", option(SOL_UDP, UDP_SEGMENT, 1200), option(SOL_UDP, UDP_SEGMENT, 0), "far",
         false},
    };
    for (const auto &c : changes) {
        SCOPED_TRACE(c.name);
        for (size_t size : {100, 1000}) {
            duel.send({.data = pattern(size)}, duel.all_fast());
            duel.each(c.on);
            for (int i = 0; i < 2; i++)
                duel.send({.data = pattern(size)},
                          c.fast ? duel.all_fast(c.device) : duel.all_true(1, c.device));
            duel.each(c.off);
        }
    }
}

// The same neighbours on two links: whose they are, their scope says.
TEST_F(Ip6, LinkLocal)
{
    auto addrs = members6("fe80::", n, first_neighbour, near) +
                 members6("fe80::", n, first_neighbour, near2) + six();
    Outcome o{.fast = 3 * n, .frames = {{"far", 2 * n}, {"far2", n}}};
    Duel duel(mirror(), addrs);
    for (size_t size : {100, 1000, 100})
        duel.send({.data = pattern(size)}, o);
    // the scope of an address is stronger than what the socket is bound to
    duel.each(to_device("near"));
    duel.send({.data = pattern(100)}, {.fast = 2 * n, .frames = o.frames});
    duel.each(to_device(""));
    duel.send({.data = pattern(100)}, o);
}

// They go where the route says.
TEST_F(Ip6, LinkLocalWithoutAScope)
{
    Duel duel(mirror(), members6("fe80::", n));
    duel.send({.data = pattern(100)}, duel.all_fast());
}

TEST_F(Ip6, Multicast)
{
    const Addresses addrs{address6("ff05::1:3", 9100), address6("ff0e::42", 9101),
                          address6("ff02::99", 9102, near)};
    const auto by_near = six_option(IPV6_MULTICAST_IF, near);
    for (const auto &setup : {by_near, all_of({by_near, six_option(IPV6_MULTICAST_HOPS, 5)}),
                              all_of({by_near, six_option(IPV6_MULTICAST_LOOP, 0)}),
                              all_of({by_near, six_option(IPV6_UNICAST_HOPS, 44)}),
                              all_of({by_near, six_option(IPV6_MULTICAST_ALL, 0)})}) {
        Duel duel(mirror(), addrs, setup);
        for (size_t size : {100, 500, 100})
            duel.send({.data = pattern(size)}, duel.all_true());
    }
    {
        Duel elsewhere(mirror(), {addrs[0], addrs[1]}, six_option(IPV6_MULTICAST_IF, near2));
        elsewhere.send({.data = pattern(100)}, elsewhere.all_true(1, "far2"));
    }
    Duel among(mirror(), six() + addrs, by_near);
    among.send({.data = pattern(100)}, {.fast = n, .frames = {{"far", n + 3}}});
}

TEST_F(Ip6, ToOneself)
{
    {
        Duel duel(mirror(), {address6("fd01::1", 9000), address6("::1", 9000),
                             address6("fd02::1", 9000), address("127.0.0.1", 9000)});
        for (size_t size : {100, 1000, 100})
            duel.send({.data = pattern(size)}, duel.all_fast("lo"));
    }
    Duel any(mirror(), {address6("::", 9000)});
    any.send({.data = pattern(100)}, any.all_true(1, "lo"));
}

TEST_F(Ip6, Routes)
{
    Change change(mirror(), "route add fd40::/64 via fd01::254", "route del fd40::/64");
    Duel duel(mirror(), members6("fd40::", n));
    auto expect = [&](const Outcome &outcome) {
        for (size_t size : {100, 600, 100, 600})
            duel.send({.data = pattern(size)}, outcome);
    };
    auto replace = [&](const std::string &by) {
        mirror().ip("route del fd40::/64\nroute add " + by);
    };
    expect(duel.all_fast());
    replace("fd40::/64 via fd01::253"); // another MAC address
    expect(duel.all_fast());
    replace("fd40::/64 via fd02::254");
    expect(duel.all_fast("far2"));
    replace("fd40::/64 via fd01::254 src fd01::5");
    expect(duel.all_fast());
    replace("fd40::/64 via fe80::254 dev near hoplimit 9");
    expect(duel.all_fast());
    replace("fd40::/64 via fd01::254 mtu 1300");
    expect(duel.all_fast());
    for (size_t size : {1252, 1253, 1400})
        duel.send({.data = pattern(size)}, as_it_fits(duel.members(), size, "far", 1300));
    for (auto [kind, error] :
         {std::pair("blackhole", EINVAL), {"unreachable", EHOSTUNREACH}, {"prohibit", EACCES}}) {
        SCOPED_TRACE(kind);
        replace(std::string(kind) + " fd40::/64");
        expect(duel.all_fail(error));
    }
    replace("fd40::/64 via fd01::254");
    expect(duel.all_fast());
    // for one of them only; the others keep theirs
    mirror().ip("route add fd40::11/128 via fd02::254");
    expect({.fast = n, .frames = {{"far", n - 1}, {"far2", 1}}});
    mirror().ip("route del fd40::11/128");
    expect(duel.all_fast());
}

// Whose the socket is, which can become another's.
TEST_F(Ip6, ByUser)
{
    const std::string rule = "uidrange 1000-1999 dport 9001 lookup 207";
    Change change(mirror(),
                  "route add fd40::/64 via fd01::254\n"
                  "route add fd40::/64 via fd02::254 table 207",
                  "route del fd40::/64 table 207\nroute del fd40::/64");
    // that it is of IPv6 cannot be told from it
    mirror().each([&](const World &w) { feed(*w.sender, "ip -6 rule add " + rule, ""); });
    Duel duel(mirror(), members6("fd40::", n));
    for (auto [uid, matches] : {std::pair(0, false), {1000, true}, {2000, false}, {1999, true}}) {
        SCOPED_TRACE("user " + std::to_string(uid));
        duel.each(owner(static_cast<uid_t>(uid)));
        for (size_t size : {100, 600, 100})
            duel.send({.data = pattern(size)},
                      {.fast = n, .frames = {{"far", n - matches}, {"far2", matches}}});
    }
    mirror().each([&](const World &w) { feed(*w.sender, "ip -6 rule del " + rule, ""); });
}

TEST_F(Ip6, NeighbourMoves)
{
    Duel duel(mirror(), mixed_members(6));
    expect_sizes(duel, {100, 1000});
    mirror().ip("neigh replace fd01::10 lladdr 02:00:00:00:09:01 dev near nud permanent");
    expect_sizes(duel, {100, 1000});
    mirror().ip(neighbour_entries("fd01::", "near", 10, 1));
    expect_sizes(duel, {100});
}

TEST_F(Ip6, MtuOfTheDevice)
{
    Duel duel(mirror(), mixed_members(6));
    expect_sizes(duel, {1000, whole});
    mirror().ip("link set near mtu 1400");
    for (size_t size : {1352, 1353, 1372, 1373, 4000})
        duel.send({.data = pattern(size)}, as_it_fits(duel.members(), size, "far", 1400));
    mirror().ip("link set near mtu 1500");
    expect_sizes(duel, {1000, whole, whole4, 4000});
}

// The peer says that what a member was sent does not fit.
void send_packet_too_big(const World &w, const Address &to, uint16_t mtu)
{
    auto put = [](std::string &bytes, size_t at, uint16_t value) {
        bytes[at] = static_cast<char>(value >> 8);
        bytes[at + 1] = static_cast<char>(value);
    };
    auto header = [&](const in6_addr &from, const in6_addr &dest, uint8_t next, size_t len) {
        std::string h("\x60\0\0\0\0\0\0\x40", 8);
        put(h, 4, static_cast<uint16_t>(len));
        h[6] = static_cast<char>(next);
        return h.append(reinterpret_cast<const char *>(&from), 16)
            .append(reinterpret_cast<const char *>(&dest), 16);
    };
    const in6_addr sender = address6("fd01::1", 0).sin6_addr;
    std::string udp(8, '\0');
    put(udp, 0, 4000);
    put(udp, 2, to.port());
    put(udp, 4, 1408);
    std::string icmp("\2\0\0\0\0\0\0\0", 8);
    put(icmp, 6, mtu);
    icmp += header(sender, to.in6.sin6_addr, IPPROTO_UDP, 1408) + udp;
    const std::string ip =
        header(address6("fd01::254", 0).sin6_addr, sender, IPPROTO_ICMPV6, icmp.size());
    put(icmp, 2,
        static_cast<uint16_t>(~fold(icmp, IPPROTO_ICMPV6 + static_cast<uint32_t>(icmp.size()) +
                                              fold(std::string_view(ip).substr(8)))));
    const std::string frame =
        std::string("\x02\0\0\0\x01\x01\x02\0\0\0\x01\x02\x86\xdd", 14) + ip + icmp;

    In in(*w.peer);
    Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll sll{};
    sll.sll_family = AF_PACKET;
    sll.sll_protocol = htons(ETH_P_IPV6);
    sll.sll_ifindex = static_cast<int>(if_nametoindex("far"));
    if (sendto(fd.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr *>(&sll),
               sizeof(sll)) != static_cast<ssize_t>(frame.size()))
        throw std::runtime_error("cannot send ICMPv6");
}

TEST_F(Ip6, PacketTooBig)
{
    Change change(mirror(), "route add fd41::/64 via fd01::254",
                  "route del fd41::/64\nroute flush cache");
    auto addrs = members6("fd41::", n);
    Duel duel(mirror(), addrs);
    expect_sizes(duel, {100, 1400, whole});
    mirror().each([&](const World &w) {
        send_packet_too_big(w, addrs[1], 1300);
        for (int i = 0; i < 500; i++) {
            if (output_of(*w.sender, "ip -6 route get fd41::11").find("mtu 1300") !=
                std::string::npos)
                return;
            usleep(20000);
        }
        FAIL() << "the path's MTU is not known";
    });
    expect_sizes(duel, {100, 1252});
    duel.send({.data = pattern(1253)}, {.fast = n - 1, .frames = {{"far", n + 1}}});
    duel.each(six_option(IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO));
    duel.send({.data = pattern(1253)},
              {.fast = n - 1, .frames = {{"far", n - 1}}, .errors = {{1, EMSGSIZE}}});
    duel.each(six_option(IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE));
    duel.send({.data = pattern(1253)}, duel.all_fast());
    EXPECT_EQ(duel.group_sender().stat().totals.icmp, 1u);
}

// A message for IPv6 says what it says to members by it, and nothing to others.
TEST_F(Ip6, MixedAndControlMessages)
{
    Duel duel(mirror(), mixed_members(6));
    const Outcome all = duel.all_fast();
    for (const auto &control :
         {message(IPV6_TCLASS, 0x20), message(IPV6_HOPLIMIT, 7),
          Control().add(SOL_IP, IP_TOS, 0x10), Control().add(SOL_IP, IP_TTL, 7)})
        for (size_t size : {100, 1000})
            duel.send({.data = pattern(size), .control = control}, all);
    duel.each(six_option(IPV6_FLOWINFO_SEND, 1));
    duel.send({.data = pattern(100)}, {.fast = 4, .frames = {{"far", 6}}});
}

// To a part of them, and with what is each one's own.
TEST_F(Ip6, PartsOfMixed)
{
    Duel duel(mirror(), mixed_members(6));
    for (size_t size : {0, 100, 1001}) {
        duel.send({.data = pattern(size), .left_out = {0, 4, 5}},
                  {.fast = 3, .frames = {{"far", 3}}});
        duel.send({.data = pattern(size), .first = 2, .count = 3},
                  {.fast = 3, .frames = {{"far", 3}}});
        duel.send({.data = pattern(size), .own = {"aa", "bb", "cc", "dd", "ee", "ff"}},
                  duel.all_fast());
    }
}

// Whoever wants to see what leaves does, and the rest of the way is another's.
TEST_F(Ip6, PacketFilter)
{
    {
        Rules rules(
            mirror(), "inet",
            {{"filter hook output priority 0;",
              "meta l4proto udp counter\nip6 daddr fd01::13 drop"},
             {"filter hook postrouting priority 0;",
              "ip6 daddr fd01::10 ip6 hoplimit set 9\nip daddr 10.1.0.11 udp dport set 7"}});
        Duel duel(mirror(), mixed_members(6));
        Outcome o{.fast = 6, .frames = {{"far", 5}}, .errors = {{3, EPERM}}};
        for (bool sum : {true, false}) {
            mirror().checksum("near", sum);
            for (size_t size : {100, 1001, 1000})
                duel.send({.data = pattern(size)}, o);
        }
        EXPECT_EQ(output_of(*mirror().one.sender, "nft list ruleset"),
                  output_of(*mirror().group.sender, "nft list ruleset"));
    }
    mirror().checksum("near", true);
}

} // namespace
} // namespace conformance
