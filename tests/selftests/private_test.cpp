// SPDX-License-Identifier: GPL-2.0-only
// UDP_GRP_PRIVATE: each member gets what is its own and behind that what all
// have in common, and nobody what is another's.

#include "messages.hpp"

#include <sys/mman.h>

#include <map>
#include <random>
#include <set>
#include <thread>

namespace selftest {
namespace {

class Private : public InNamespace, public testing::WithParamInterface<Way> {
protected:
    Control control() const { return GetParam().control; }
    long send(const Sender &s, const Control &control, const std::string &data) const
    {
        return Message(data, control).send(s, GetParam().flags);
    }
};

INSTANTIATE_TEST_SUITE_P(By, Private, testing::ValuesIn(ways()),
                         [](const auto &way) { return way.param.name; });

// Data of which every slot's prefix is another, and no stretch is like the next.
class Letter {
public:
    Letter(uint32_t slots, size_t own, size_t shared, uint32_t seed = 1)
        : own_(own), data_(own * slots + shared, '\0')
    {
        std::mt19937 random(seed);
        for (auto &b : data_)
            b = static_cast<char>(random());
        shared_ = data_.substr(own * slots);
    }
    const std::string &data() const { return data_; }
    long size() const { return static_cast<long>(data_.size()); }
    std::string to(uint32_t slot) const { return data_.substr(slot * own_, own_) + shared_; }

private:
    size_t own_;
    std::string data_, shared_;
};

uint64_t generation(const Sender &s) { return s.stat().totals.generation; }

long counter(const char *protocol, const std::string &name)
{
    for (const auto &[column, value] : snmp(protocol))
        if (column == name)
            return value;
    return -1;
}

// Prefixes and shared parts of all lengths, odd ones too: in the head, in pages,
// in one datagram and in fragments, with a sum made here and by the device.
TEST_P(Private, EachItsOwn)
{
    Veth veth(ns);
    constexpr uint32_t slots = 5;
    auto rs = veth.receivers(slots);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20), 0);
    ASSERT_EQ(s.set(addresses(rs)), 0);
    std::vector<std::pair<size_t, size_t>> sizes;
    for (size_t own : {0, 1, 2, 3, 7, 8, 64, 99, 150, 211, 300, 355, 500, 1001, 1471, 1472})
        for (size_t shared : {0, 1, 5, 64, 100, 101, 356, 800, 1451})
            if (own + shared <= 1472)
                sizes.emplace_back(own, shared);
    for (size_t own : {0, 1, 8, 350, 1000, 1472, 1473, 9001, 65507})
        for (size_t total : {1473, 4000, 20001, 65507})
            if (own <= total)
                sizes.emplace_back(own, total - own);
    uint64_t sends = 0;
    for (bool offloaded : {false, true}) {
        set_offload("near", ETHTOOL_STXCSUM, offloaded);
        for (auto [own, shared] : sizes) {
            SCOPED_TRACE(std::to_string(own) + " and " + std::to_string(shared) +
                         (offloaded ? ", sum by the device" : ""));
            Letter letter(slots, own, shared);
            auto c = control().own(generation(s), static_cast<uint32_t>(own));
            // nobody has IP options besides 65,507 bytes
            bool fits = own + shared < 65507 || !c.size() || GetParam().name != ways()[2].name;
            ASSERT_EQ(send(s, c, letter.data()), letter.size());
            sends += fits;
            for (uint32_t i = 0; fits && i < slots; i++)
                ASSERT_TRUE(rs[i].next() == letter.to(i)) << "member " << i;
        }
    }
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.sent, sends * slots);
    veth.peer().enter();
    EXPECT_EQ(counter("Udp", "InCsumErrors"), 0);
    EXPECT_EQ(counter("Udp", "InErrors"), 0);
    ns.enter();
}

// A prefix is its slot's, whoever is there, and whatever is before it.
TEST_P(Private, HolesAndThoseLeftOutHavePrefixesToo)
{
    constexpr uint32_t slots = 12;
    const std::set<uint32_t> holes{0, 4, 5, 9};
    std::vector<Receiver> rs(slots);
    auto a = addresses(rs);
    // without a route, and so on the true path, in the middle
    a[6] = address("10.77.0.1", 9);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    for (uint32_t i : holes)
        ASSERT_EQ(s.leave({&a[i], 1}), 0);
    for (uint32_t flags : {0u, GRP_F_COUNT}) {
        ASSERT_EQ(s.set_flags(flags), 0);
        for (const std::set<uint32_t> &skip : {std::set<uint32_t>{}, {1}, {2, 7, 11}, {10, 11}}) {
            std::vector<sockaddr_in> left_out;
            for (uint32_t i : skip)
                left_out.push_back(a[i]);
            for (uint32_t first = 0; first <= slots; first++) {
                for (uint32_t count = 0; first + count <= slots; count++) {
                    uint32_t n = count ? count : slots - first;
                    SCOPED_TRACE(std::to_string(first) + ", " + std::to_string(count));
                    Letter letter(n, 33, 77, first * 100 + count);
                    auto c = control().skip(left_out).own(generation(s), 33).range(first, count);
                    long expected = flags ? static_cast<long>(n)
                                    : n   ? letter.size()
                                          : -EDESTADDRREQ;
                    ASSERT_EQ(send(s, c, letter.data()), expected);
                    for (uint32_t i = first; i < first + n; i++)
                        if (!holes.count(i) && !skip.count(i) && i != 6) {
                            ASSERT_TRUE(rs[i].next() == letter.to(i - first)) << i;
                        }
                    expect_none(rs);
                }
            }
        }
    }
}

// Larger than one batch, and than what slots are kept in.
TEST_P(Private, OfVeryMany)
{
    run("ip link add d9 type dummy && ip addr add 10.9.0.1/16 dev d9 && ip link set d9 up");
    Capture wire("d9");
    constexpr uint32_t slots = 5000;
    auto a = many(0x0a090002, slots);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    std::vector<sockaddr_in> leave;
    for (uint32_t i = 200; i < 4200; i++)
        if (i % 7)
            leave.push_back(a[i]);
    ASSERT_EQ(s.leave(leave), 0);
    Letter letter(slots - 10, 12, 20);
    EXPECT_EQ(send(s, control().range(10, 0).own(generation(s), 12), letter.data()), letter.size());
    auto packets = wire.wait(slots - leave.size() - 10);
    ASSERT_EQ(packets.size(), slots - leave.size() - 10);
    for (const auto &p : packets) {
        uint32_t to = 0;
        memcpy(&to, p.data() + 16, 4);
        uint32_t slot = ntohl(to) - 0x0a090002;
        size_t headers = static_cast<size_t>(p[0] & 15) * 4 + 8;
        ASSERT_TRUE(p.substr(headers) == letter.to(slot - 10)) << slot;
    }
}

TEST_P(Private, WhatCannotBe)
{
    std::vector<Receiver> rs(4);
    auto a = addresses(rs);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    ASSERT_EQ(s.leave({&a[1], 1}), 0); // it has a prefix all the same
    const uint64_t now = generation(s);
    struct {
        const char *what;
        Control control;
        size_t size;
        long err;
    } cases[] = {
        {"stale", control().own(now - 1, 1), 4, -ESTALE},
        {"too short by a byte", control().own(now, 10), 39, -EINVAL},
        {"nothing", control().own(now, 1), 0, -EINVAL},
        {"very long prefixes", control().own(now, ~0U), 40, -EINVAL},
        {"too short for the range", control().own(now, 10).range(1, 3), 29, -EINVAL},
        {"too short for the rest", control().own(now, 10).range(2, 0), 19, -EINVAL},
        {"beyond by one", control().own(now, 1).range(2, 3), 100, -EINVAL},
        {"beyond by far", control().own(now, 1).range(1, ~0U), 100, -EINVAL},
        {"first beyond", control().own(now, 1).range(5, 0), 100, -EINVAL},
        {"first and count beyond", control().own(now, 1).range(5, 1), 100, -EINVAL},
        {"one behind the last", control().own(now, 1).range(4, 1), 100, -EINVAL},
        {"longer than a datagram", control().own(now, 1), 4 + 65535, -EMSGSIZE},
        {"prefixes longer than that", control().own(now, 65536), size_t{4} * 65536, -EMSGSIZE},
        {"much", control().own(now, 1), UDP_GROUP_MAX_DATA, -EMSGSIZE},
        {"too much", control().own(now, 1), UDP_GROUP_MAX_DATA + 1, -EMSGSIZE},
        {"none at the end", control().own(now, 1).range(4, 0), 5, -EDESTADDRREQ},
    };
    std::string data(UDP_GROUP_MAX_DATA + 1, 'x');
    for (const auto &c : cases) {
        SCOPED_TRACE(c.what);
        auto before = s.stat().totals;
        auto part = data.substr(0, c.size);
        EXPECT_EQ(send(s, c.control, part), c.err);
        auto after = s.stat().totals;
        EXPECT_EQ(memcmp(&after, &before, sizeof(after)), 0);
        expect_none(rs);
    }
    // more than a datagram can be is the message's fault, and less that is too
    // much for the headers the member's
    EXPECT_EQ(send(s, control().own(now, 1), data.substr(0, 4 + 65534)), 4 + 65534);
    for (const auto &m : s.stat().members)
        EXPECT_EQ(m.error, EMSGSIZE);
    expect_none(rs);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    EXPECT_EQ(send(s, control().own(now, 1).range(4, 0), "12345"), 0);
    EXPECT_EQ(send(s, control().own(now, 1), "12345"), 4);
    EXPECT_EQ(rs[0].next(), "15");
    EXPECT_EQ(rs[2].next(), "35");
    EXPECT_EQ(rs[3].next(), "45");
    expect_none(rs);
}

// As much as one send can have, and that is no more than it says.
TEST_P(Private, AsMuchAsThereCanBe)
{
    run("ip link add d9 mtu 65000 type dummy && ip addr add 10.9.0.1/16 dev d9 && "
        "ip link set d9 up");
    constexpr uint32_t slots = 2048, each = UDP_GROUP_MAX_DATA / slots;
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUFFORCE, 16 << 20), 0);
    ASSERT_EQ(s.set(many(0x0a090002, slots)), 0);
    std::string data(UDP_GROUP_MAX_DATA, 'x');
    EXPECT_EQ(send(s, control().own(generation(s), each), data), UDP_GROUP_MAX_DATA);
    EXPECT_EQ(s.stat().totals.sent, slots);
    data += 'x';
    EXPECT_EQ(send(s, control().own(generation(s), each), data), -EMSGSIZE);
    EXPECT_EQ(s.stat().totals.sent, slots);
}

// A page that is not there ends the send before the member whose prefix it has,
// and a shared part that is not there before the first.
TEST_P(Private, UnreadableDataEndIt)
{
    constexpr size_t own = 1024;
    std::vector<Receiver> rs(10);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    constexpr size_t page = 4096, size = 10 * own + 100;
    auto pages = static_cast<char *>(
        mmap(nullptr, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(pages, MAP_FAILED);
    const char *gap = pages + 3 * page;
    memset(pages, 'a', 3 * page);
    memset(pages + 4 * page, 'z', 4 * page);
    munmap(pages + 3 * page, page);
    for (uint32_t flags : {0u, GRP_F_COUNT}) {
        ASSERT_EQ(s.set_flags(flags), 0);
        auto send = [&](const char *from) {
            Control c = control().own(generation(s), own);
            iovec iov{const_cast<char *>(from), size};
            msghdr msg{};
            msg.msg_iov = &iov;
            msg.msg_iovlen = 1;
            msg.msg_control = c.data();
            msg.msg_controllen = c.size();
            return result(sendmsg(s.fd(), &msg, GetParam().flags));
        };
        auto before = s.stat().totals;
        EXPECT_EQ(send(gap - 4 * own), flags ? 4 : static_cast<long>(size));
        for (size_t i = 0; i < 4; i++)
            EXPECT_EQ(rs[i].next(), std::string(own, 'a') + std::string(100, 'z'));
        expect_none(rs);
        auto after = s.stat().totals;
        EXPECT_EQ(after.sent - before.sent, 4u);
        EXPECT_EQ(after.unreached - before.unreached, flags ? 0u : 6u);
        EXPECT_EQ(after.failed, before.failed);

        EXPECT_EQ(send(gap), -EFAULT);
        EXPECT_EQ(send(gap - own + 1), -EFAULT);
        EXPECT_EQ(send(gap - 10 * own - 50), -EFAULT);
        EXPECT_EQ(s.stat().totals.sends, after.sends);
        expect_none(rs);
    }
    munmap(pages, 8 * page);
}

// The generation keeps a letter from the wrong hands while members come and go.
TEST_P(Private, NobodyGetsWhatIsAnothersWhileMembersComeAndGo)
{
    std::vector<Receiver> rs(8);
    for (auto &r : rs) {
        int large = 4 << 20;
        setsockopt(r.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large));
    }
    auto a = addresses(rs);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    std::atomic<bool> done = false;
    // they come back to other slots: the order of leaving is not that of joining
    std::thread change([&] {
        std::mt19937 random(7);
        while (!done) {
            std::vector<sockaddr_in> some;
            for (const auto &addr : a)
                if (random() % 3 == 0)
                    some.push_back(addr);
            if (some.empty() || some.size() == a.size())
                continue;
            EXPECT_EQ(s.leave(some), 0);
            std::shuffle(some.begin(), some.end(), random);
            EXPECT_EQ(s.join(some), 0);
        }
    });
    std::map<uint16_t, std::vector<int>> expected;
    int sent = 0, stale = 0;
    for (int i = 0; i < 20000 && sent < 1000; i++) {
        auto stat = s.stat();
        if (stat.members.size() != stat.totals.members)
            continue; // more have joined while it was read
        // four bytes: who it is for
        std::string data(size_t{4} * stat.totals.slots, '?');
        for (const auto &m : stat.members) {
            uint32_t who = m.addr.in.sin_port;
            memcpy(data.data() + m.slot * size_t{4}, &who, 4);
        }
        data += std::to_string(i);
        // now and then it is out of date for sure
        while (i % 20 == 0 && generation(s) == stat.totals.generation)
            std::this_thread::yield();
        long ret = send(s, control().own(stat.totals.generation, 4), data);
        if (ret == -ESTALE) {
            stale++;
            continue;
        }
        ASSERT_EQ(ret, static_cast<long>(data.size()));
        sent++;
        for (const auto &m : stat.members)
            expected[m.addr.in.sin_port].push_back(i);
    }
    done = true;
    change.join();
    EXPECT_EQ(s.stat().totals.failed + s.stat().totals.unreached, 0u);
    EXPECT_GT(sent, 50);
    EXPECT_GT(stale, 10);
    for (size_t r = 0; r < rs.size(); r++) {
        for (int i : expected[a[r].sin_port]) {
            auto data = rs[r].next();
            ASSERT_TRUE(data) << "receiver " << r << " without " << i << ": " << strerror(errno);
            uint32_t who = 0;
            memcpy(&who, data->data(), 4);
            EXPECT_EQ(who, a[r].sin_port);
            EXPECT_EQ(data->substr(4), std::to_string(i));
        }
        EXPECT_TRUE(rs[r].empty());
    }
}

} // namespace
} // namespace selftest
