// SPDX-License-Identifier: GPL-2.0-only
// The full product: members of either family and of both, lengths around each
// limit, what can be asked of a datagram, and what the device does itself.

#include "mirror6.hpp"

#include <linux/in6.h>

namespace conformance {
namespace {

constexpr size_t mtu = 1500; // near's

struct Device {
    const char *name;
    bool checksum, scatter_gather;
};

constexpr Device devices[] = {{"AllOffloads", true, true},
                              {"NoChecksum", false, true},
                              {"NoScatterGather", true, false},
                              {"NoOffloads", false, false}};

struct Family {
    const char *name;
    bool four, six; // who is a member; by IPv6 alone and mixed, the socket is AF_INET6
    std::vector<size_t> sizes;

    Addresses members() const
    {
        if (four && six)
            return mixed_members(5);
        return six ? members6("fd01::", 3) : Addresses(conformance::members("10.1.0.", 3));
    }
};

// Around what near takes in one piece, and what a datagram can hold. The last
// sees whether those that failed have left something.
const std::vector<Family> families{
    {"Ip4", true, false, {0, 1, 100, 1471, 1472, 1473, 65507, 65508, 65535, 100}},
    {"Ip6", false, true, {0, 1, 100, 1451, 1452, 1453, 65527, 65528, 65535, 100}},
    {"Mixed",
     true,
     true,
     {0, 1, 100, 1451, 1452, 1453, 1471, 1472, 1473, 65507, 65527, 65528, 65535, 100}}};

// What is asked for, of the same name for either family. Control messages are the
// same for every socket: those of the other family have to mean nothing.
struct Option {
    const char *name;
    Duel::Setup any = {}, four = {}, six = {};
    Control control = {};
    bool fragments = true;  // or EMSGSIZE
    size_t segment = 0;     // as UDP_SEGMENT has it
    bool refuses4 = false;  // on an AF_INET6 socket the message is none for
    bool refuses6 = false;  // members of this family: EINVAL
    bool is_marked = false; // has the mark and the priority that are looked for

    Duel::Setup setup(const Family &family) const
    {
        return [*this, family](const Sender &s) {
            if (any)
                any(s);
            if (four && family.four)
                four(s);
            if (six && family.six)
                six(s);
        };
    }
};

Option discovery(const char *name, int mode4, int mode6, bool fragments)
{
    return {.name = name,
            .four = option(SOL_IP, IP_MTU_DISCOVER, mode4),
            .six = option(SOL_IPV6, IPV6_MTU_DISCOVER, mode6),
            .fragments = fragments};
}

Control source6(const char *source)
{
    in6_pktinfo info = {};
    info.ipi6_addr = address6(source, 0).sin6_addr;
    return Control().add(SOL_IPV6, IPV6_PKTINFO, info);
}

Control source4(const char *source)
{
    in_pktinfo info{};
    info.ipi_spec_dst = address(source, 0).sin_addr;
    return Control().add(SOL_IP, IP_PKTINFO, info);
}

std::vector<Option> options()
{
    return {
        {.name = "None"},
        {.name = "Tos",
         .four = option(SOL_IP, IP_TOS, 0xb8),
         .six = option(SOL_IPV6, IPV6_TCLASS, 0xb8)},
        {.name = "TosMessage",
         .control = Control().add(SOL_IP, IP_TOS, 0x68).add(SOL_IPV6, IPV6_TCLASS, 0x28)},
        {.name = "Ttl",
         .four = option(SOL_IP, IP_TTL, 3),
         .six = option(SOL_IPV6, IPV6_UNICAST_HOPS, 4)},
        {.name = "TtlMessage",
         .control = Control().add(SOL_IP, IP_TTL, 9).add(SOL_IPV6, IPV6_HOPLIMIT, 8)},
        discovery("PmtuDont", IP_PMTUDISC_DONT, IPV6_PMTUDISC_DONT, true),
        discovery("PmtuWant", IP_PMTUDISC_WANT, IPV6_PMTUDISC_WANT, true),
        discovery("PmtuDo", IP_PMTUDISC_DO, IPV6_PMTUDISC_DO, false),
        discovery("PmtuProbe", IP_PMTUDISC_PROBE, IPV6_PMTUDISC_PROBE, false),
        discovery("PmtuInterface", IP_PMTUDISC_INTERFACE, IPV6_PMTUDISC_INTERFACE, false),
        discovery("PmtuOmit", IP_PMTUDISC_OMIT, IPV6_PMTUDISC_OMIT, true),
        {.name = "Pktinfo4", .control = source4("10.1.0.5")},
        {.name = "Pktinfo6", .control = source6("fd01::5"), .refuses4 = true},
        {.name = "PktinfoMapped", .control = source6("::ffff:10.1.0.5"), .refuses6 = true},
        {.name = "NoCheck",
         .four = option(SOL_SOCKET, SO_NO_CHECK, 1),
         .six = option(SOL_UDP, UDP_NO_CHECK6_TX, 1)},
        // a quarter of what fits into one piece; too many of them in the longest
        {.name = "Segment", .any = option(SOL_UDP, UDP_SEGMENT, 368), .segment = 368},
        // a half of it by IPv6
        {.name = "SegmentMessage",
         .control = Control().add(SOL_UDP, UDP_SEGMENT, uint16_t{726}),
         .segment = 726},
        {.name = "MarkAndPriority",
         .any = all_of({option(SOL_SOCKET, SO_MARK, 7), option(SOL_SOCKET, SO_PRIORITY, 5)}),
         .is_marked = true},
    };
}

// Keeps tests from printing the bytes of what they are for.
std::ostream &operator<<(std::ostream &out, const Device &d) { return out << d.name; }
std::ostream &operator<<(std::ostream &out, const Family &f) { return out << f.name; }
std::ostream &operator<<(std::ostream &out, const Option &o) { return out << o.name; }

// What is not in a frame, but beside it, shows in the address it comes from.
constexpr char marked[] = "\x02\0\0\0\x07\x05";
const Rules::Chain mark_rule{"filter hook egress device near priority 0;",
                             "meta mark 7 meta priority 0:5 ether saddr set 02:00:00:00:07:05"};

class Matrix : public Mirrored6,
               public testing::WithParamInterface<std::tuple<Device, Family, Option>> {
protected:
    static void SetUpTestSuite() { rules_.emplace(mirror(), "netdev", std::vector{mark_rule}); }
    static void TearDownTestSuite() { rules_.reset(); }

    static const Device &device() { return std::get<0>(GetParam()); }
    static const Family &family() { return std::get<1>(GetParam()); }
    static const Option &option() { return std::get<2>(GetParam()); }

    static void set_offloads(bool checksum, bool scatter_gather)
    {
        mirror().checksum("near", checksum);
        mirror().scatter_gather("near", scatter_gather);
    }
    void SetUp() override { set_offloads(device().checksum, device().scatter_gather); }
    void TearDown() override
    {
        set_offloads(true, true);
        Mirrored6::TearDown();
    }

private:
    static inline std::optional<Rules> rules_;
};

bool is_refused(const Option &o, const Family &f, const Address &to)
{
    return f.six && (to.is_ip6() ? o.refuses6 : o.refuses4);
}

size_t segments(const Option &o, size_t size)
{
    return size > o.segment ? (size + o.segment - 1) / o.segment : 1;
}

int error(const Option &o, const Address &to, size_t size)
{
    constexpr size_t most_segments = 128;
    if (size > longest(to))
        return EMSGSIZE;
    if (o.segment)
        return segments(o, size) > most_segments ? EINVAL : 0;
    return o.fragments || pieces(to, size, mtu) == 1 ? 0 : EMSGSIZE;
}

// A device that makes checksums makes segments, too, of what a frame can hold.
size_t frames(const Option &o, const Device &d, const Address &to, size_t size)
{
    constexpr size_t most = 65536;
    if (!o.segment)
        return pieces(to, size, mtu);
    const bool fits = Frame::ip + (to.is_ip6() ? 40 : 20) + 8 + size < most;
    return d.checksum && fits ? 1 : segments(o, size);
}

Outcome expected(const Option &o, const Device &d, const Family &f, const Addresses &members,
                 size_t size)
{
    Outcome outcome;
    for (size_t i = 0; i < members.size(); i++) {
        const Address &to = members[i];
        if (int e = is_refused(o, f, to) ? EINVAL : error(o, to, size)) {
            outcome.errors[i] = e;
            continue;
        }
        outcome.frames["far"] += frames(o, d, to, size);
        outcome.fast += !o.segment && pieces(to, size, mtu) == 1;
    }
    return outcome;
}

TEST_P(Matrix, IsAsBySendto)
{
    Duel duel(mirror(), family().members(), option().setup(family()));
    for (size_t size : family().sizes) {
        SCOPED_TRACE(std::to_string(size) + " bytes");
        const Shot shot{.data = pattern(size), .control = option().control};
        if (option().refuses6 && !family().four) {
            duel.refuse(shot, EINVAL);
            continue;
        }
        duel.send(shot, expected(option(), device(), family(), duel.members(), size));
        for (const auto &f : duel.received("far"))
            EXPECT_EQ(f.bytes.substr(6, 6) == std::string(marked, 6), option().is_marked);
    }
}

INSTANTIATE_TEST_SUITE_P(Product, Matrix,
                         testing::Combine(testing::ValuesIn(devices), testing::ValuesIn(families),
                                          testing::ValuesIn(options())),
                         [](const auto &of) {
                             return std::string(std::get<0>(of.param).name) + "_" +
                                    std::get<1>(of.param).name + "_" + std::get<2>(of.param).name;
                         });

} // namespace
} // namespace conformance
