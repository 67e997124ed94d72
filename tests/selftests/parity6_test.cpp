// SPDX-License-Identifier: GPL-2.0-only
// What is shown for IPv4 elsewhere holds for AF_INET6 sockets, with members by IPv6
// and with members by both.

#include "families.hpp"
#include "gate.hpp"

namespace selftest {
namespace {

class OfMix : public InBoth, public testing::WithParamInterface<Mix> {
protected:
    OfMix() : peers(GetParam().peers(6)), a(addresses(peers)), s(GetParam().domain)
    {
        if (change(s, SO_SETGRP, a))
            throw std::runtime_error("group");
    }
    uint64_t generation() const { return s.stat().totals.generation; }
    std::vector<Peer> peers;
    std::vector<Address> a;
    Sender s;
};

class Parity6 : public OfMix {};

INSTANTIATE_TEST_SUITE_P(Of, Parity6, testing::ValuesIn(mixes6()), name_of);

// What is shown for IPv4 alone nowhere else.
class Parity : public OfMix {};

INSTANTIATE_TEST_SUITE_P(Of, Parity, testing::ValuesIn(mixes()), name_of);

TEST_P(Parity, EachMemberReceivesTheSegments)
{
    const std::string data = pattern(3500);
    for (bool option : {false, true}) {
        SCOPED_TRACE(option);
        ASSERT_EQ(s.option(SOL_UDP, UDP_SEGMENT, option ? 1000 : 0), 0);
        Control c;
        if (!option)
            c.add(SOL_UDP, UDP_SEGMENT, uint16_t{1000});
        EXPECT_EQ(Message(data, c).send(s), 3500);
        for (size_t at : {0, 1000, 2000, 3000})
            expect_each(peers, data.substr(at, 1000));
        // the prefix is a part of the first segment
        const std::string own = "aabbccddeeff";
        EXPECT_EQ(Message(own + data, c.own(generation(), 2)).send(s), 3512);
        for (size_t i = 0; i < peers.size(); i++) {
            const auto mine = own.substr(2 * i, 2) + data;
            for (size_t at : {0, 1000, 2000, 3000})
                ASSERT_EQ(peers[i].next(), mine.substr(at, 1000));
        }
        expect_none(peers);
    }
    // one record is one message to the member
    EXPECT_EQ(s.stat().totals.sent, 24u);
    ASSERT_EQ(s.option(SOL_UDP, UDP_SEGMENT, 0), 0);
    EXPECT_EQ(s.send(data), 3500);
    expect_each(peers, data);
}

TEST_P(Parity, ZeroCopyNotifiesOfEachDatagram)
{
    // nothing to notify of
    const auto lost = GetParam().members({"2001:db8::1"}, {"10.77.0.1"});
    const auto all = static_cast<long>(a.size() + lost.size());
    ASSERT_EQ(change(s, SO_ADDGRP, lost), 0);
    ASSERT_EQ(s.option(SOL_SOCKET, SO_ZEROCOPY, 1), 0);
    uint32_t id = 0;
    for (uint32_t flags : {0u, GRP_F_COUNT}) {
        ASSERT_EQ(s.set_flags(flags), 0);
        for (size_t size : {100, 20000, 60000}) {
            SCOPED_TRACE(size);
            const std::string data = pattern(size);
            EXPECT_EQ(s.send(data, MSG_ZEROCOPY), flags ? all : static_cast<long>(size));
            expect_each(peers, data);
            for (uint32_t last = id + 6; id < last;) {
                auto n = queued_error(s.fd(), patience);
                ASSERT_TRUE(n) << "at " << id;
                EXPECT_EQ(n->err.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
                EXPECT_EQ(n->err.ee_errno, 0u);
                EXPECT_EQ(n->err.ee_info, id);
                ASSERT_LT(n->err.ee_data, last);
                id = n->err.ee_data + 1;
            }
        }
    }
    EXPECT_FALSE(queued_error(s.fd()));
    expect_none(peers);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sent, 36u);
    for (size_t i = a.size(); i < stat.members.size(); i++)
        EXPECT_EQ(stat.members[i].error, ENETUNREACH);
    EXPECT_EQ(s.error(), 0);
}

TEST_P(Parity, TimestampsOfEachDatagram)
{
    ASSERT_EQ(s.option(SOL_SOCKET, SO_TIMESTAMPING,
                       SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
                           SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY),
              0);
    for (uint32_t id = 0; id < 12; id++) {
        if (id % 6 == 0) {
            EXPECT_EQ(s.send("x"), 1);
            expect_each(peers, "x");
        }
        auto n = queued_error(s.fd(), patience);
        ASSERT_TRUE(n) << id;
        EXPECT_EQ(n->err.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
        EXPECT_EQ(n->err.ee_info, static_cast<uint32_t>(SCM_TSTAMP_SND));
        EXPECT_EQ(n->err.ee_data, id);
    }
    EXPECT_FALSE(queued_error(s.fd()));
}

// A slot's datagram leaves at its time; none waits for the last.
TEST_P(Parity6, Spread)
{
    constexpr uint64_t step = 400000000;
    hold_datagrams(s);
    ASSERT_EQ(change(s, SO_DELGRP, {&a[1], 1}), 0);
    const uint64_t before = monotonic();
    EXPECT_EQ(Message("x", skipping(Control().spread(6 * step), {&a[4], 1})).send(s), 1);
    for (size_t i : {0, 2, 3, 5}) {
        ASSERT_EQ(peers[i].next(), "x") << i;
        EXPECT_GE(monotonic(), before + i * step) << i;
        if (!i) {
            EXPECT_LT(monotonic(), before + 5 * step);
        }
    }
    expect_none(peers);
}

// Nobody gets it twice and nobody is left out, however small the buffer.
TEST_P(Parity6, GoesOnWhereThereWasNoRoom)
{
    constexpr uint32_t slots = 60;
    const std::string data(100, 'x');
    auto many = GetParam().peers(slots);
    ASSERT_EQ(change(s, SO_SETGRP, addresses(many)), 0);
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 5000), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    Gate gate;
    uint32_t parts = 0, full = 0;
    for (uint32_t first = 0; first < slots;) {
        long n = Message(data, Control().range(first, 0)).send(s, MSG_DONTWAIT);
        if (n == -EAGAIN) {
            full++;
            gate.open();
            gate.close_behind(s);
            continue;
        }
        ASSERT_GT(n, 0);
        first += static_cast<uint32_t>(n);
        parts++;
    }
    gate.open();
    EXPECT_GT(parts, 2u);
    EXPECT_GT(full, 0u);
    expect_each(many, data);
    expect_none(many);
    auto t = s.stat().totals;
    EXPECT_EQ(t.sent, slots);
    EXPECT_EQ(t.sends, parts);
    EXPECT_EQ(t.unreached + t.failed, 0u);
}

TEST_P(Parity6, PrivatePartsOfAnyLength)
{
    // in the head, in pages, and in fragments
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20), 0);
    ASSERT_EQ(change(s, SO_DELGRP, {&a[2], 1}), 0);
    for (size_t own : {0, 1, 7, 64, 99, 300, 1000, 9001}) {
        for (size_t shared : {0, 1, 100, 356, 4000, 50000}) {
            SCOPED_TRACE(std::to_string(own) + " and " + std::to_string(shared));
            const auto data = pattern(6 * own + shared);
            ASSERT_EQ(
                Message(data, Control().own(generation(), static_cast<uint32_t>(own))).send(s),
                static_cast<long>(data.size()));
            for (size_t i : {0, 1, 3, 4, 5})
                ASSERT_TRUE(peers[i].next() == data.substr(i * own, own) + data.substr(6 * own))
                    << i;
        }
    }
    expect_none(peers);
    EXPECT_EQ(s.stat().totals.failed, 0u);
}

// Several pages at once.
TEST_P(Parity, SplicedPagesReachEveryone)
{
    for (size_t size : {1, 4096, 3 * 4096, 10 * 4096 + 7}) {
        SCOPED_TRACE(size);
        const auto data = pattern(size);
        Pipe pipe(data);
        ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
        EXPECT_EQ(pipe.splice_to(s, size), -EOPNOTSUPP);
        ASSERT_EQ(s.set_flags(0), 0);
        EXPECT_EQ(pipe.splice_to(s, size, SPLICE_F_MORE), -EOPNOTSUPP);
        expect_none(peers);
        EXPECT_EQ(pipe.splice_to(s, size), static_cast<long>(size));
        expect_each(peers, data);
    }
    expect_none(peers);
    EXPECT_EQ(s.stat().totals.sends, 4u);
}

// A link-local address is left out as recvfrom() gave it, on its link only.
TEST_F(InBoth, LeavesOutALinkLocalMemberThatHasSent)
{
    NetNs there;
    enable_ip6();
    ns.enter();
    for (std::string n : {"1", "2"})
        run("ip link add near" + n + " type veth peer name far" + n + " netns /proc/" +
            std::to_string(getpid()) + "/fd/" + std::to_string(there.fd()) +
            " && ip link set near" + n + " addrgenmode none up && ip addr add fe80::1/64 dev near" +
            n + " nodad");
    there.enter();
    std::vector<Peer> peers;
    for (std::string n : {"1", "2"}) {
        run("ip link set far" + n + " addrgenmode none up && ip addr add fe80::2/64 dev far" + n +
            " nodad");
        peers.emplace_back(either("fe80::2", 4000, if_nametoindex(("far" + n).c_str())));
    }
    ns.enter();
    Sender s(AF_INET6);
    auto here = either("::", 5000);
    ASSERT_EQ(bind(s.fd(), &here.sa, address_length(here)), 0);
    timeval timeout{.tv_sec = 10, .tv_usec = 0};
    ASSERT_EQ(setsockopt(s.fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
    const std::vector<Address> a{either("fe80::2", 4000, if_nametoindex("near1")),
                                 either("fe80::2", 4000, if_nametoindex("near2"))};
    ASSERT_EQ(change(s, SO_SETGRP, a), 0);
    for (size_t i : {0, 1}) {
        auto to = either("fe80::1", 5000, peers[i].address().in6.sin6_scope_id);
        ASSERT_EQ(sendto(peers[i].fd(), "say", 3, 0, &to.sa, address_length(to)), 3);
        char data[16];
        Address from{};
        socklen_t len = sizeof(from);
        ASSERT_EQ(recvfrom(s.fd(), data, sizeof(data), 0, &from.sa, &len), 3);
        EXPECT_EQ(from.in6.sin6_scope_id, a[i].in6.sin6_scope_id);
        EXPECT_EQ(Message("say", skipping(Control(), {&from, 1})).send(s), 3);
        EXPECT_EQ(peers[1 - i].next(), "say");
        expect_none(peers);
        EXPECT_EQ(s.stat().members[i].skipped, 1u);
        // without the link it is nobody
        from.in6.sin6_scope_id = 0;
        EXPECT_EQ(Message("all", skipping(Control(), {&from, 1})).send(s), 3);
        expect_each(peers, "all");
    }
    EXPECT_EQ(s.stat().totals.skipped, 2u);
}

} // namespace
} // namespace selftest
