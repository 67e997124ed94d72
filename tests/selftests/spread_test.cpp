// SPDX-License-Identifier: GPL-2.0-only
// UDP_GRP_SPREAD: the datagrams of a send leave one after the other over a time.

#include "arrival.hpp"

#include <set>

namespace selftest {
namespace {

// Each on the fast path and in two ways on the true path, to a peer behind a
// queue that keeps departure times.
class Spread : public InNamespace, public testing::WithParamInterface<Way> {
protected:
    Spread() : veth(ns)
    {
        // one flow: what is due together leaves in the order in which it was due
        run("tc qdisc add dev near root fq orphan_mask 0");
        sock_txtime txtime{.clockid = CLOCK_MONOTONIC, .flags = 0};
        if (setsockopt(s.fd(), SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)) < 0)
            throw std::runtime_error("SO_TXTIME");
    }
    Control control() const { return GetParam().control; }
    long send(const Control &control, const std::string &data = "data") const
    {
        return Message(data, control).send(s, GetParam().flags);
    }
    Veth veth;
    Sender s;
};

INSTANTIATE_TEST_SUITE_P(By, Spread, testing::ValuesIn(ways()),
                         [](const auto &way) { return way.param.name; });

// When the next datagram of a receiver has arrived, which must be this one.
uint64_t arrival(const Receiver &r, const std::string &data)
{
    const auto a = selftest::arrival(r.fd());
    EXPECT_TRUE(a.data == data);
    return a.time;
}

// A slot's datagram leaves at its time and not at its member's number.
TEST_P(Spread, EachSlotHasItsTime)
{
    auto rs = veth.receivers(10);
    want_arrivals(rs);
    auto a = addresses(rs);
    ASSERT_EQ(s.set(a), 0);
    ASSERT_EQ(s.leave({&a[2], 1}), 0);
    struct {
        const char *what;
        uint32_t first, count;
        std::vector<uint32_t> skip;
        uint64_t spread;
    } cases[] = {{"all", 0, 0, {}, 800 * millisecond},
                 {"some", 3, 5, {}, 500 * millisecond},
                 {"some, less two", 1, 0, {1, 5}, 700 * millisecond},
                 {"one", 9, 1, {}, 3000 * millisecond}};
    for (const auto &c : cases) {
        SCOPED_TRACE(c.what);
        std::vector<sockaddr_in> left_out;
        for (uint32_t i : c.skip)
            left_out.push_back(a[i]);
        uint32_t n = c.count ? c.count : 10 - c.first;
        expect_in_time([&] {
            uint64_t before = realtime();
            EXPECT_EQ(send(control().spread(c.spread).range(c.first, c.count).skip(left_out)), 4);
            uint64_t after = realtime(), last = 0;
            // nobody has waited for it
            bool in_time = after - before < c.spread / 2;
            for (uint32_t i = 0; i < n; i++) {
                uint32_t slot = c.first + i;
                if (slot == 2 || std::find(c.skip.begin(), c.skip.end(), slot) != c.skip.end())
                    continue;
                SCOPED_TRACE(slot);
                uint64_t is = arrival(rs[slot], "data"), due = c.spread * i / n;
                EXPECT_GE(is + clocks, before + due);
                EXPECT_GE(is, last);
                in_time = in_time && is < after + due + soon;
                last = is;
            }
            expect_none(rs);
            return in_time;
        });
    }
}

// However long the data are, in one datagram or in fragments, and with what is
// each one's own.
TEST_P(Spread, GoesWithEverything)
{
    auto rs = veth.receivers(4);
    want_arrivals(rs);
    auto a = addresses(rs);
    ASSERT_EQ(s.set(a), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    for (size_t size : {0, 1, 300, 1400, 5000}) {
        SCOPED_TRACE(size);
        std::string shared = pattern(size);
        expect_in_time([&] {
            uint64_t before = realtime();
            EXPECT_EQ(send(control()
                               .add(SOL_IP, IP_TTL, 9)
                               .spread(400 * millisecond)
                               .own(s.stat().totals.generation, 3)
                               .skip({&a[1], 1})
                               .range(0, 4),
                           "aaabbbcccddd" + shared),
                      4);
            EXPECT_GE(arrival(rs[0], "aaa" + shared) + clocks, before);
            EXPECT_GE(arrival(rs[2], "ccc" + shared) + clocks, before + 200 * millisecond);
            EXPECT_GE(arrival(rs[3], "ddd" + shared) + clocks, before + 300 * millisecond);
            expect_none(rs);
            return realtime() < before + 1200 * millisecond;
        });
    }
}

// One to many: all times are different, and the queue never drops one.
TEST_P(Spread, OverVeryMany)
{
    constexpr uint32_t slots = 1500;
    Capture wire("near");
    run("ip neigh add 10.1.0.3 lladdr 02:00:00:00:00:03 dev near && "
        "ip route add 10.9.0.0/16 via 10.1.0.3");
    run("tc qdisc replace dev near root fq limit 100000 flow_limit 100000 horizon 1000s");
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUFFORCE, 64 << 20), 0);
    ASSERT_EQ(s.set(many(0x0a090000, slots)), 0);
    // longer than they take that are not spread, on this machine
    uint64_t start = monotonic();
    EXPECT_EQ(send(control()), 4);
    EXPECT_EQ(wire.wait(slots).size(), slots);
    const uint64_t spread = 1500 * millisecond + 2 * (monotonic() - start);
    start = monotonic();
    EXPECT_EQ(send(control().spread(spread)), 4);
    EXPECT_EQ(s.stat().totals.sent, 2 * slots);
    // at any time no more than are due by then
    std::vector<std::string> packets;
    while (packets.size() < slots && monotonic() < start + spread + 20000 * millisecond) {
        for (auto &packet : wire.take())
            packets.push_back(std::move(packet));
        ASSERT_LE(packets.size(), slots * (monotonic() - start) / spread + 1);
        sched_yield();
    }
    ASSERT_EQ(packets.size(), slots);
    // in order, but for neighbours that a coarse timer lets go together
    std::set<uint32_t> all;
    for (uint32_t i = 0; i < slots; i++) {
        uint32_t to = 0;
        memcpy(&to, packets[i].data() + 16, 4);
        uint32_t slot = ntohl(to) - 0x0a090000;
        all.insert(slot);
        EXPECT_NEAR(static_cast<double>(slot), static_cast<double>(i), 30);
    }
    EXPECT_EQ(all.size(), slots);
}

// Nothing is as if it were not there; and what is not spread has its own time.
TEST_P(Spread, NoneIsNone)
{
    auto rs = veth.receivers(3);
    want_arrivals(rs);
    auto a = addresses(rs);
    ASSERT_EQ(s.set(a), 0);
    auto all_soon = [&](uint32_t first, const Control &c) {
        uint64_t before = realtime(), last = 0;
        EXPECT_EQ(send(c), 4);
        for (uint32_t i = first; i < rs.size(); i++)
            last = std::max(last, arrival(rs[i], "data"));
        return last < before + soon;
    };
    expect_in_time([&] { return all_soon(0, control().spread(0)); });
    uint64_t before = realtime();
    uint64_t departure = monotonic() + 300 * millisecond;
    EXPECT_EQ(send(control().spread(0).add(SOL_SOCKET, SCM_TXTIME, departure)), 4);
    for (auto &r : rs)
        EXPECT_GE(arrival(r, "data") + clocks, before + 300 * millisecond);
    expect_in_time([&] { return all_soon(1, control().range(1, 0)); });
    expect_none(rs);
    // nor does it need a clock
    Sender plain;
    ASSERT_EQ(plain.set(a), 0);
    EXPECT_EQ(Message("data", control().spread(0)).send(plain), 4);
    for (auto &r : rs)
        EXPECT_EQ(r.next(), "data");
}

// All times are after the call, the longest too, which a queue may refuse.
TEST_P(Spread, AnHourIsTheLongest)
{
    auto rs = veth.receivers(2);
    ASSERT_EQ(s.set(addresses(rs)), 0);
    uint64_t before = monotonic();
    EXPECT_EQ(send(control().spread(UDP_GROUP_MAX_SPREAD)), 4);
    // nobody has waited for it, however slow the machine is
    EXPECT_LT(monotonic(), before + 60000 * millisecond);
    EXPECT_EQ(rs[0].next(), "data");
    EXPECT_TRUE(rs[1].empty());
    // fq: beyond its horizon of ten seconds
    auto stat = s.stat();
    EXPECT_EQ(stat.members[0].sent, 1u);
    EXPECT_EQ(stat.members[1].failed, 1u);
    EXPECT_EQ(stat.members[1].error, ENOBUFS);
    EXPECT_EQ(send(control().spread(UDP_GROUP_MAX_SPREAD + 1)), -EINVAL);
    EXPECT_TRUE(rs[0].empty());
}

} // namespace
} // namespace selftest
