// SPDX-License-Identifier: GPL-2.0-only
// What a program asks of a single send: to leave members out, and to send to
// some of the slots only. And what is no such question.

#include "messages.hpp"

#include <map>
#include <set>

namespace selftest {
namespace {

// Each on the fast path and in two ways on the true path.
class Controls : public InNamespace, public testing::WithParamInterface<Way> {
protected:
    Control control() const { return GetParam().control; }
    long send(const Sender &s, const Control &control, const std::string &data = "data",
              int flags = 0) const
    {
        return Message(data, control).send(s, GetParam().flags | flags);
    }
};

INSTANTIATE_TEST_SUITE_P(By, Controls, testing::ValuesIn(ways()),
                         [](const auto &way) { return way.param.name; });

// Receivers with these numbers have it, once, and nobody else.
void expect_only(std::vector<Receiver> &rs, const std::set<size_t> &who, std::string_view data)
{
    for (size_t i : who)
        EXPECT_EQ(rs[i].next(), data) << "receiver " << i;
    for (size_t i = 0; i < rs.size(); i++)
        EXPECT_TRUE(rs[i].empty()) << "receiver " << i;
}

// How the totals have grown, and that those of the members agree.
class Growth {
public:
    explicit Growth(const Sender &s) : sender_(s), before_(s.stat()) {}
    udp_grpstat operator()() const
    {
        auto after = sender_.stat();
        udp_grpstat d = after.totals, of_members{};
        const auto &b = before_.totals;
        d.sends -= b.sends;
        d.sent -= b.sent;
        d.failed -= b.failed;
        d.skipped -= b.skipped;
        d.holes -= b.holes;
        d.unreached -= b.unreached;
        for (size_t i = 0; i < after.members.size(); i++) {
            of_members.sent += after.members[i].sent - before_.members.at(i).sent;
            of_members.failed += after.members[i].failed - before_.members[i].failed;
            of_members.skipped += after.members[i].skipped - before_.members[i].skipped;
        }
        EXPECT_EQ(d.sent, of_members.sent);
        EXPECT_EQ(d.failed, of_members.failed);
        EXPECT_EQ(d.skipped, of_members.skipped);
        return d;
    }

private:
    const Sender &sender_;
    Statistics before_;
};

TEST_P(Controls, EveryoneButWhoHasSentIt)
{
    std::vector<Receiver> rs(5);
    Sender s;
    auto here = address("127.0.0.1", 0);
    socklen_t len = sizeof(here);
    ASSERT_EQ(bind(s.fd(), reinterpret_cast<sockaddr *>(&here), len), 0);
    ASSERT_EQ(getsockname(s.fd(), reinterpret_cast<sockaddr *>(&here), &len), 0);
    ASSERT_EQ(s.set(addresses(rs)), 0);
    for (size_t i = 0; i < rs.size(); i++) {
        ASSERT_EQ(sendto(rs[i].fd(), "say", 3, 0, reinterpret_cast<sockaddr *>(&here), len), 3);
        char data[16];
        sockaddr_in from;
        memset(&from, 0xff, sizeof(from)); // what is behind the address is nobody's business
        socklen_t from_len = sizeof(from);
        ASSERT_EQ(
            recvfrom(s.fd(), data, sizeof(data), 0, reinterpret_cast<sockaddr *>(&from), &from_len),
            3);
        EXPECT_EQ(send(s, control().skip({&from, 1}), "say"), 3);
        std::set<size_t> others{0, 1, 2, 3, 4};
        others.erase(i);
        expect_only(rs, others, "say");
        EXPECT_EQ(s.stat().members[i].skipped, 1u);
    }
    EXPECT_EQ(s.stat().totals.skipped, 5u);
    EXPECT_EQ(s.stat().totals.sent, 20u);
}

TEST_P(Controls, WhomToLeaveOut)
{
    std::vector<Receiver> rs(6);
    auto a = addresses(rs);
    auto gone = address("127.0.0.1", 9), other_port = a[1], other_host = a[1];
    other_port.sin_port ^= htons(0x8000);
    other_host.sin_addr.s_addr ^= htonl(2);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    // a member that was there, and a hole in its place
    ASSERT_EQ(s.join({&gone, 1}), 0);
    ASSERT_EQ(s.leave({&gone, 1}), 0);
    ASSERT_EQ(s.leave({&a[2], 1}), 0);
    std::vector<sockaddr_in> all(a), stranger{gone, other_port, other_host, a[2]};
    std::vector<sockaddr_in> twice{a[3], a[0], a[3], a[3], a[0]};
    std::vector<sockaddr_in> mixed{gone, a[5], other_port, a[1], a[2], a[1]};
    struct {
        const char *what;
        std::vector<sockaddr_in> skip;
        std::set<size_t> reached;
    } cases[] = {
        {"nobody", {}, {0, 1, 3, 4, 5}},          {"strangers", stranger, {0, 1, 3, 4, 5}},
        {"twice, in no order", twice, {1, 4, 5}}, {"some of them members", mixed, {0, 3, 4}},
        {"the last", {a[5]}, {0, 1, 3, 4}},       {"all", all, {}}};
    for (const auto &c : cases) {
        SCOPED_TRACE(c.what);
        Growth growth(s);
        EXPECT_EQ(send(s, control().skip(c.skip)), 4);
        expect_only(rs, c.reached, "data");
        auto d = growth();
        EXPECT_EQ(d.sends, 1u);
        EXPECT_EQ(d.sent, c.reached.size());
        EXPECT_EQ(d.skipped, 5 - c.reached.size());
        EXPECT_EQ(d.holes, 1u);
        EXPECT_EQ(d.unreached + d.failed, 0u);
    }
}

// As many as a control message can hold, see net.core.optmem_max.
TEST_P(Controls, ManyAreLeftOut)
{
    run("ip link add d9 type dummy && ip addr add 10.9.0.1/16 dev d9 && ip link set d9 up");
    Capture wire("d9");
    auto a = many(0x0a090002, 4000);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    std::vector<sockaddr_in> skip;
    for (size_t i = a.size(); i--;)
        if (i % 50)
            skip.push_back(a[i]);
    Growth growth(s);
    EXPECT_EQ(send(s, control().skip(skip)), 4);
    EXPECT_EQ(growth().sent, 80u);
    EXPECT_EQ(growth().skipped, 3920u);
    auto packets = wire.wait(80);
    ASSERT_EQ(packets.size(), 80u);
    for (size_t i = 0; i < 80; i++)
        EXPECT_EQ(packets[i].substr(16, 4),
                  std::string(reinterpret_cast<const char *>(&a[i * 50].sin_addr), 4));
}

// Every range of a group with holes, with members left out and without, in bytes
// and in slots.
TEST_P(Controls, EveryRange)
{
    constexpr uint32_t slots = 9;
    const std::set<size_t> holes{0, 3, 4, 7};
    std::vector<Receiver> rs(slots);
    auto a = addresses(rs);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    for (size_t i : holes)
        ASSERT_EQ(s.leave({&a[i], 1}), 0);
    for (uint32_t flags : {0u, GRP_F_COUNT}) {
        ASSERT_EQ(s.set_flags(flags), 0);
        for (const std::set<size_t> &skip : {std::set<size_t>{}, {2, 8}}) {
            std::vector<sockaddr_in> left_out;
            for (size_t i : skip)
                left_out.push_back(a[i]);
            for (uint32_t first = 0; first <= slots + 1; first++) {
                for (uint32_t count : {0u, 1u, 2u, 3u, 5u, 8u, 9u, 10u, 0x80000000u, ~0u}) {
                    SCOPED_TRACE(std::to_string(first) + ", " + std::to_string(count) +
                                 (skip.empty() ? "" : ", less two"));
                    uint32_t end =
                        count ? std::min<uint64_t>(uint64_t{first} + count, slots) : slots;
                    uint32_t n = end > first ? end - first : 0;
                    std::set<size_t> reached;
                    uint64_t skipped = 0;
                    for (size_t i = first; i < end; i++) {
                        if (skip.count(i))
                            skipped++;
                        else if (!holes.count(i))
                            reached.insert(i);
                    }
                    Growth growth(s);
                    long expected = flags ? static_cast<long>(n) : n ? 4 : -EDESTADDRREQ;
                    EXPECT_EQ(send(s, control().range(first, count).skip(left_out)), expected);
                    expect_only(rs, reached, "data");
                    auto d = growth();
                    EXPECT_EQ(d.sends, n ? 1u : 0u);
                    EXPECT_EQ(d.sent, reached.size());
                    EXPECT_EQ(d.skipped, skipped);
                    EXPECT_EQ(d.sent + d.skipped + d.holes, n);
                    EXPECT_EQ(d.failed + d.unreached, 0u);
                }
            }
        }
    }
}

// Ranges that meet in what slots are kept in together, and cross it.
TEST_P(Controls, PartsMakeAWhole)
{
    run("ip link add d9 type dummy && ip addr add 10.9.0.1/16 dev d9 && ip link set d9 up");
    Capture wire("d9");
    constexpr uint32_t slots = 4300;
    auto a = many(0x0a090002, slots);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    std::vector<sockaddr_in> leave(a.begin() + 100, a.begin() + 300);
    ASSERT_EQ(s.leave(leave), 0);
    for (uint32_t part : {700u, 64u, 4096u}) {
        for (uint32_t first = 0; first < slots; first += part)
            EXPECT_EQ(send(s, control().range(first, part)), 4);
        auto packets = wire.wait(slots - 200);
        ASSERT_EQ(packets.size(), slots - 200);
        for (uint32_t i = 0; i < packets.size(); i++)
            ASSERT_EQ(
                packets[i].substr(16, 4),
                std::string(reinterpret_cast<const char *>(&a[i < 100 ? i : i + 200].sin_addr), 4));
    }
    auto stat = s.stat();
    for (const auto &m : stat.members)
        ASSERT_EQ(m.sent, 3u);
    EXPECT_EQ(stat.totals.holes, 600u);
}

TEST_P(Controls, BesidesOthers)
{
    std::vector<Receiver> rs(4);
    auto a = addresses(rs);
    in_pktinfo source{};
    source.ipi_spec_dst = address("127.0.0.9", 0).sin_addr;
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    // before, behind and between those of the group; of odd length, too
    uint8_t tos = 0x10;
    Control others[] = {
        control()
            .add(SOL_IP, IP_TTL, 9)
            .range(1, 0)
            .add(SOL_IP, IP_TOS, tos)
            .skip({&a[2], 1})
            .add(SOL_IP, IP_PKTINFO, source),
        control()
            .skip({&a[2], 1})
            .add(SOL_IP, IP_PKTINFO, source)
            .add(SOL_IP, IP_TTL, 9)
            .range(1, 3)
            .add(SOL_IP, IP_TOS, tos),
        control()
            .add(SOL_SOCKET, SO_MARK, 7)
            .add(SOL_IP, IP_TTL, 9)
            .add(SOL_IP, IP_TOS, tos)
            .add(SOL_IP, IP_PKTINFO, source)
            .skip({&a[2], 1})
            .range(1, 9),
    };
    for (auto &r : rs) { // so that the first has the header's fields as well
        int on = 1;
        setsockopt(r.fd(), SOL_IP, IP_RECVTTL, &on, sizeof(on));
        setsockopt(r.fd(), SOL_IP, IP_RECVTOS, &on, sizeof(on));
    }
    const Datagram expected{"data", 9, 0x10, "127.0.0.9"};
    for (auto &c : others) {
        EXPECT_EQ(send(s, c), 4);
        EXPECT_EQ(receive(rs[1]), expected);
        EXPECT_EQ(receive(rs[3]), expected);
        expect_none(rs);
    }
    // the mark is for the route, of each member that there is
    run("ip rule add pref 10 lookup local && ip rule del pref 0 && "
        "ip rule add pref 5 fwmark 7 prohibit");
    EXPECT_EQ(send(s, control().range(2, 0).add(SOL_SOCKET, SO_MARK, 7).skip({&a[2], 1})), 4);
    expect_none(rs);
    EXPECT_EQ(s.stat().members[3].error, EACCES);
    EXPECT_EQ(s.stat().members[2].error, 0);
    EXPECT_EQ(s.stat().members[1].error, 0);
}

TEST_P(Controls, OfEachOfManyMessages)
{
    std::vector<Receiver> rs(4);
    auto a = addresses(rs);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    Message first("first", control().skip({&a[0], 1})), second("second", control().range(2, 1)),
        third("third"), empty("empty", control().range(4, 0)),
        bad("bad", control().range(0, 0).range(0, 0));
    auto send_many = [&](std::initializer_list<const Message *> messages) {
        std::vector<mmsghdr> vec;
        for (auto m : messages)
            vec.push_back({.msg_hdr = m->header(), .msg_len = 99});
        return result(
            sendmmsg(s.fd(), vec.data(), static_cast<unsigned>(vec.size()), GetParam().flags));
    };
    EXPECT_EQ(send_many({&first, &second, &third, &second}), 4);
    for (size_t i = 0; i < 4; i++) {
        if (i) {
            EXPECT_EQ(rs[i].next(), "first");
        }
        if (i == 2) {
            EXPECT_EQ(rs[i].next(), "second");
        }
        EXPECT_EQ(rs[i].next(), "third");
        if (i == 2) {
            EXPECT_EQ(rs[i].next(), "second");
        }
    }
    expect_none(rs);
    // one that is refused ends it, as ever
    for (auto refused : {&empty, &bad}) {
        EXPECT_EQ(send_many({&second, refused, &third}), 1);
        expect_only(rs, {2}, "second");
    }
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    std::vector<mmsghdr> vec{{.msg_hdr = first.header(), .msg_len = 99},
                             {.msg_hdr = empty.header(), .msg_len = 99},
                             {.msg_hdr = second.header(), .msg_len = 99}};
    EXPECT_EQ(sendmmsg(s.fd(), vec.data(), 3, GetParam().flags), 3);
    EXPECT_EQ(vec[0].msg_len, 4u);
    EXPECT_EQ(vec[1].msg_len, 0u);
    EXPECT_EQ(vec[2].msg_len, 1u);
}

TEST_P(Controls, BadOnesSendNothing)
{
    std::vector<Receiver> rs(3);
    auto a = addresses(rs);
    auto port0 = a[0], family = a[0];
    port0.sin_port = 0;
    family.sin_family = AF_INET6;
    Sender s, timed;
    sock_txtime txtime{.clockid = CLOCK_MONOTONIC, .flags = 0};
    ASSERT_EQ(setsockopt(timed.fd(), SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)), 0);
    ASSERT_EQ(s.set(a), 0);
    ASSERT_EQ(timed.set(a), 0);
    const auto generation = s.stat().totals.generation;
    const udp_grp_range range{0, 2};
    const udp_grp_private own{generation, 1, 0}, reserved{generation, 1, 1};
    const uint64_t now = monotonic(), second = 1000000000;
    auto raw = [&](int type, const void *value, size_t len) {
        return control().add_raw(SOL_UDP, type, value, len);
    };
    std::vector<sockaddr_in> bad_end{a[0], port0}, bad_begin{family, a[0]};
    struct {
        std::string what;
        const Sender *sender;
        Control control;
        long err;
        int flags = 0;
    } cases[] = {
        {"SKIP cut short", &s, raw(UDP_GRP_SKIP, a.data(), 15), -EINVAL},
        {"SKIP cut shorter", &s, raw(UDP_GRP_SKIP, a.data(), 1), -EINVAL},
        {"SKIP with a rest", &s, raw(UDP_GRP_SKIP, a.data(), 20), -EINVAL},
        {"SKIP port 0", &s, control().skip(bad_end), -EINVAL},
        {"SKIP family", &s, control().skip(bad_begin), -EAFNOSUPPORT},
        {"SKIP twice", &s, control().skip({&a[0], 1}).skip({&a[1], 1}), -EINVAL},
        {"SKIP twice, empty", &s, control().skip({}).skip({}), -EINVAL},
        {"RANGE too short", &s, raw(UDP_GRP_RANGE, &range, 7), -EINVAL},
        {"RANGE empty", &s, raw(UDP_GRP_RANGE, &range, 0), -EINVAL},
        {"RANGE too long", &s, raw(UDP_GRP_RANGE, &own, 9), -EINVAL},
        {"RANGE twice", &s, control().range(0, 1).range(0, 1), -EINVAL},
        {"PRIVATE too short", &s, raw(UDP_GRP_PRIVATE, &own, 15), -EINVAL},
        {"PRIVATE too long", &s, raw(UDP_GRP_PRIVATE, a.data(), 17), -EINVAL},
        {"PRIVATE reserved", &s, raw(UDP_GRP_PRIVATE, &reserved, 16), -EINVAL},
        {"PRIVATE twice", &s, control().own(generation, 1).own(generation, 1), -EINVAL},
        {"PRIVATE stale", &s, control().own(generation - 1, 1), -ESTALE},
        {"PRIVATE of the future", &s, control().own(generation + 1, 1), -ESTALE},
        {"PRIVATE zerocopy", &s, control().own(generation, 1), -EOPNOTSUPP, MSG_ZEROCOPY},
        {"PRIVATE of none, zerocopy", &s, control().own(generation, 0), -EOPNOTSUPP, MSG_ZEROCOPY},
        {"SPREAD without SO_TXTIME", &s, control().spread(second), -EINVAL},
        {"SPREAD too short", &timed, raw(UDP_GRP_SPREAD, &second, 4), -EINVAL},
        {"SPREAD too long", &timed, raw(UDP_GRP_SPREAD, &own, 16), -EINVAL},
        {"SPREAD over an hour", &timed, control().spread(UDP_GROUP_MAX_SPREAD + 1), -EINVAL},
        {"SPREAD over ages", &timed, control().spread(~0ULL), -EINVAL},
        {"SPREAD twice", &timed, control().spread(second).spread(second), -EINVAL},
        {"SPREAD, SCM_TXTIME", &timed,
         control().spread(second).add(SOL_SOCKET, SCM_TXTIME, now + second), -EINVAL},
        {"SCM_TXTIME, SPREAD", &timed,
         control().add(SOL_SOCKET, SCM_TXTIME, now + second).spread(second), -EINVAL},
        {"shorter than its header", &s, control().range(0, 1).claim(control().size(), 8), -EINVAL},
        {"longer than the buffer", &s, control().range(0, 1).claim(control().size(), 4096),
         -EINVAL},
        {"unknown before", &s, control().add(SOL_UDP, UDP_GRP_SKIP - 1, 1).range(0, 1), -EINVAL},
        {"unknown behind", &s, control().range(0, 1).add(SOL_UDP, UDP_GRP_SPREAD + 1, 1), -EINVAL},
        {"bad of others", &s, control().range(0, 1).add(SOL_IP, IP_TTL, 256), -EINVAL},
        {"with MSG_MORE", &s, control().range(0, 1), -EOPNOTSUPP, MSG_MORE},
    };
    for (const Sender *sender : {&s, &timed})
        ASSERT_EQ(sender->option(SOL_SOCKET, SO_ZEROCOPY, 1), 0);
    for (auto &c : cases) {
        for (uint32_t flags : {0u, GRP_F_COUNT}) {
            SCOPED_TRACE(c.what + (flags ? ", counted" : ""));
            ASSERT_EQ(c.sender->set_flags(flags), 0);
            auto before = c.sender->stat();
            auto ip = snmp("Ip"), udp = snmp("Udp");
            EXPECT_EQ(send(*c.sender, c.control, "data", c.flags), c.err);
            auto after = c.sender->stat();
            EXPECT_EQ(memcmp(&after.totals, &before.totals, sizeof(after.totals)), 0);
            EXPECT_EQ(memcmp(after.members.data(), before.members.data(),
                             after.members.size() * sizeof(after.members[0])),
                      0);
            EXPECT_EQ(snmp("Ip"), ip);
            EXPECT_EQ(snmp("Udp"), udp);
            expect_none(rs);
            // and the next one is as if there had been none
            EXPECT_EQ(send(*c.sender, control()), flags ? 3 : 4);
            expect_each(rs, "data");
        }
    }
}

// They are the group's: a destination of its own, or a socket without a group,
// has no use for them.
TEST_P(Controls, WithADestinationTheyAreRefused)
{
    Receiver member, other;
    Sender s, none;
    hold_datagrams(s);
    ASSERT_EQ(s.set({&member.address(), 1}), 0);
    const auto generation = s.stat().totals.generation;
    for (const auto &c : {control().skip({&member.address(), 1}), control().range(0, 1),
                          control().own(generation, 0), control().spread(1)}) {
        for (const Receiver *r : {&member, &other}) {
            EXPECT_EQ(Message("x", c, r->address()).send(s, GetParam().flags), -EINVAL);
            EXPECT_EQ(Message("x", c, r->address()).send(none, GetParam().flags), -EINVAL);
        }
        EXPECT_LT(send(none, c), 0);
    }
    EXPECT_TRUE(member.empty());
    EXPECT_TRUE(other.empty());
    EXPECT_EQ(s.stat().totals.sends, 0u);
}

} // namespace
} // namespace selftest
