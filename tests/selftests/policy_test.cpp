// SPDX-License-Identifier: GPL-2.0-only
// No bypass: whatever acts on a sendto() to a member acts on that member of a
// group send, and on no other. Each policy is met by root and by nobody.

#include "policy.hpp"

#include <linux/net_tstamp.h>

#include <ctime>
#include <map>
#include <regex>

namespace selftest {
namespace {

INSTANTIATE_TEST_SUITE_P(By, Policy, testing::Values(0, 65534),
                         [](const auto &user) { return user.param ? "Nobody" : "Root"; });

TEST_P(Policy, TheSecurityModuleIsAskedForEachMember)
{
    auto rs = neighbours(5);
    sender([] { enter_domain("127.0.0.1-127.0.0.2 127.0.0.4"); },
           [&] {
               expect_same(rs, {0, 0, EPERM, 0, EPERM});
           });
    // and without the policy
    sender([&] { expect_same(rs, {0, 0, 0, 0, 0}); });
}

TEST_P(Policy, TheSecurityModuleForbidsThemAll)
{
    auto rs = neighbours(3);
    sender([] { enter_domain("10.0.0.1"); }, [&] { expect_same(rs, {EPERM, EPERM, EPERM}); });
}

// sendmmsg() does not ask again about an address that it has just sent to.
TEST_P(Policy, TheSecurityModuleIsAskedForEachMessageOfMany)
{
    auto rs = neighbours(3);
    auto addrs = addresses(rs);
    auto may_send_to = [&](std::vector<sockaddr_in *> dests, const std::vector<int> &copies,
                           long expected) {
        Sender s;
        ASSERT_EQ(s.set(addrs), 0);
        char text[] = "payload";
        iovec iov{text, data.size()};
        std::vector<mmsghdr> msgs(dests.size());
        for (size_t i = 0; i < dests.size(); i++) {
            msgs[i].msg_hdr.msg_iov = &iov;
            msgs[i].msg_hdr.msg_iovlen = 1;
            msgs[i].msg_hdr.msg_name = dests[i];
            msgs[i].msg_hdr.msg_namelen = dests[i] ? sizeof(sockaddr_in) : 0;
        }
        EXPECT_EQ(result(sendmmsg(s.fd(), msgs.data(), static_cast<unsigned>(msgs.size()), 0)),
                  expected);
        for (size_t i = 0; i < rs.size(); i++) {
            for (int c = 0; c < copies[i]; c++)
                EXPECT_EQ(rs[i].next(), data);
            EXPECT_TRUE(rs[i].empty()) << "member " << i;
        }
    };
    sender([] { enter_domain("127.0.0.1 127.0.0.3"); },
           [&] {
               may_send_to({nullptr, nullptr}, {2, 0, 2}, 2);
               may_send_to({&addrs[0], &addrs[0], nullptr, &addrs[0]}, {4, 0, 1}, 4);
               may_send_to({nullptr, &addrs[1], nullptr}, {1, 0, 1}, 1);
               may_send_to({&addrs[2], nullptr, &addrs[1]}, {1, 0, 2}, 2);
           });
}

void rules(const std::string &text)
{
    run("nft 'add table ip t; add chain ip t out { type filter hook output priority 0; }; " + text +
        "'");
}

std::vector<long> counters()
{
    std::vector<long> packets;
    std::string text = output_of("nft list chain ip t out");
    std::regex counter("counter packets ([0-9]+)");
    for (std::sregex_iterator it(text.begin(), text.end(), counter), end; it != end; ++it)
        packets.push_back(std::stol((*it)[1]));
    return packets;
}

TEST_P(Policy, NetfilterDropsAMember)
{
    rules("add rule ip t out ip daddr 127.0.0.2 drop; "
          "add rule ip t out ip daddr 127.0.0.4 drop");
    auto rs = neighbours(4);
    sender([&] { expect_same(rs, {0, EPERM, 0, EPERM}); });
}

TEST_P(Policy, NetfilterSeesOnePacketAMember)
{
    rules("add rule ip t out ip daddr 127.0.0.1 counter; "
          "add rule ip t out ip daddr 127.0.0.2 counter drop; "
          "add rule ip t out ip daddr 127.0.0.3 counter; "
          "add rule ip t out ct state new counter; "
          "add rule ip t out meta skuid " +
          std::to_string(GetParam()) + " counter");
    auto rs = neighbours(3);
    sender([&] {
        Sender s;
        ASSERT_EQ(s.set(addresses(rs)), 0);
        EXPECT_EQ(s.send(data), length);
        expect_received(rs, {0, EPERM, 0});
    });
    EXPECT_EQ(counters(), (std::vector<long>{1, 1, 1, 2, 2}));
}

TEST_P(Policy, NetfilterLimitsTheRate)
{
    rules("add rule ip t out limit rate over 1/hour burst 2 packets drop");
    auto rs = neighbours(4);
    sender([&] {
        Sender s;
        ASSERT_EQ(s.set(addresses(rs)), 0);
        EXPECT_EQ(s.send(data), length);
        expect_received(rs, {0, 0, EPERM, EPERM});
        for (const auto &m : s.stat().members)
            EXPECT_EQ(m.error, m.slot < 2 ? 0 : EPERM);
    });
}

// The rejection comes back as an ICMP error, which is the member's as well.
TEST_P(Policy, NetfilterRejectsAMember)
{
    rules("add rule ip t out ip daddr 127.0.0.2 reject");
    auto rs = neighbours(3);
    sender([&] {
        Sender s;
        ASSERT_EQ(s.set(addresses(rs)), 0);
        EXPECT_EQ(s.send_to(data, rs[1].address()), -EPERM);
        auto icmp = [&] { return s.stat().members[1].icmp; };
        EXPECT_TRUE(eventually([&] { return icmp() == 1; }));
        EXPECT_EQ(s.send(data), length);
        expect_received(rs, {0, EPERM, 0});
        EXPECT_TRUE(eventually([&] { return icmp() == 2; }));
        auto stat = s.stat();
        EXPECT_EQ(stat.totals.sent, 2u);
        EXPECT_EQ(stat.members[1].failed, 1u);
        EXPECT_EQ(stat.members[1].icmp, 2u);
        EXPECT_EQ(stat.totals.icmp, 2u);
        EXPECT_EQ(s.error(), 0);
    });
}

// Two devices without a peer. What is sent to 10.8/16 is dropped by the queue,
// what is sent to 10.9/16 leaves.
void full_and_free_device()
{
    for (std::string n : {"8", "9"})
        run("ip link add d" + n + " type dummy && ip addr add 10." + n + ".0.1/16 dev d" + n +
            " && ip link set d" + n + " up");
    run("tc qdisc add dev d8 root bfifo limit 1");
}

TEST_P(Policy, TheQueueDropsAMember)
{
    full_and_free_device();
    Receiver r;
    std::vector<sockaddr_in> addrs{address("10.9.0.2", 9), address("10.8.0.2", 9), r.address()};
    sender([&] {
        Sender s;
        ASSERT_EQ(s.set(addrs), 0);
        auto expect_drops = [&](unsigned drops) {
            auto stat = s.stat();
            EXPECT_EQ(stat.members[0].sent, drops);
            EXPECT_EQ(stat.members[1].sent, 0u);
            EXPECT_EQ(stat.members[1].failed, drops);
            EXPECT_EQ(stat.members[1].error, ENOBUFS);
            EXPECT_EQ(stat.members[2].sent, drops);
            EXPECT_EQ(r.next(), data);
            EXPECT_TRUE(r.empty());
            EXPECT_EQ(s.error(), 0);
        };
        // sendto() has always called this a success
        EXPECT_EQ(s.send_to(data, addrs[1]), length);
        EXPECT_EQ(s.send(data), length);
        expect_drops(1);
        EXPECT_EQ(s.send_to(data, addrs[1]), length);

        // unless the socket has asked to be told
        ASSERT_EQ(s.option(SOL_IP, IP_RECVERR, 1), 0);
        EXPECT_EQ(s.send_to(data, addrs[1]), -ENOBUFS);
        EXPECT_EQ(s.send(data), length);
        expect_drops(2);
        auto e = queued_error(s.fd());
        ASSERT_TRUE(e);
        EXPECT_EQ(e->err.ee_origin, SO_EE_ORIGIN_LOCAL);
        EXPECT_EQ(e->err.ee_errno, static_cast<unsigned>(ENOBUFS));
        EXPECT_EQ(e->who, addrs[1]);
        EXPECT_FALSE(queued_error(s.fd()));
    });
}

// A queue that holds each datagram until its time: meanwhile it is charged to
// the socket, to the byte what those of sendto() are.
TEST_P(Policy, EachDatagramIsChargedToTheSocket)
{
    full_and_free_device();
    run("tc qdisc add dev d9 root fq horizon 1000s");
    auto addrs = many(0x0a090002, 8);
    Sender one, group; // outlive the sender's process, which shares them
    auto charged = [](const Sender &s) {
        int bytes = -1;
        ioctl(s.fd(), SIOCOUTQ, &bytes);
        return bytes;
    };
    for (const auto *s : {&one, &group}) {
        sock_txtime txtime{.clockid = CLOCK_MONOTONIC, .flags = 0};
        ASSERT_EQ(setsockopt(s->fd(), SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)), 0);
    }
    for (size_t size : {0, 100, 1400, 4000}) {
        SCOPED_TRACE(size);
        std::string bytes(size, 'x');
        int before[] = {charged(one), charged(group)};
        sender([&] {
            timespec now;
            clock_gettime(CLOCK_MONOTONIC, &now);
            uint64_t departure = static_cast<uint64_t>(now.tv_sec + 500) * 1000000000;
            alignas(cmsghdr) char control[CMSG_SPACE(sizeof(departure))] = {};
            iovec iov{bytes.data(), size};
            msghdr msg{};
            msg.msg_iov = &iov;
            msg.msg_iovlen = 1;
            msg.msg_control = control;
            msg.msg_controllen = sizeof(control);
            cmsghdr *c = CMSG_FIRSTHDR(&msg);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_TXTIME;
            c->cmsg_len = CMSG_LEN(sizeof(departure));
            memcpy(CMSG_DATA(c), &departure, sizeof(departure));

            ASSERT_EQ(group.set(addrs), 0);
            EXPECT_EQ(result(sendmsg(group.fd(), &msg, 0)), static_cast<long>(size));
            msg.msg_namelen = sizeof(sockaddr_in);
            for (auto &addr : addrs) {
                msg.msg_name = &addr;
                EXPECT_EQ(result(sendmsg(one.fd(), &msg, 0)), static_cast<long>(size));
            }
        });
        // A datagram's memory, and not less than its data for any of them; the
        // fast path takes less than sendto() where a power of two would be half empty.
        int by[] = {charged(one) - before[0], charged(group) - before[1]};
        EXPECT_GE(by[0], static_cast<int>(8 * (size + 28)));
        EXPECT_GE(by[1], static_cast<int>(8 * (size + 28)));
        EXPECT_LE(by[1], by[0]);
    }
    run("tc qdisc del dev d9 root");
    EXPECT_EQ(charged(one), 0);
    EXPECT_EQ(charged(group), 0);
}

using Counters = std::map<std::string, long>;

Counters snmp_counters()
{
    Counters all;
    for (std::string protocol : {"Ip", "Udp"})
        for (const auto &[name, value] : snmp(protocol))
            all[protocol + name] = value;
    return all;
}

// The same outcomes move the same counters of the namespace, whether they are
// a group's or those of as many calls of sendto().
TEST_P(Policy, MovesTheSameCountersAsSendto)
{
    struct {
        size_t size;
        int recverr;
    } cases[] = {{100, 0}, {100, 1}, {4000, 0}, {4000, 1}};

    auto moved = [&](bool group) {
        NetNs fresh;
        full_and_free_device();
        rules("add rule ip t out ip daddr 127.0.0.2 drop");
        auto rs = neighbours(2);
        std::vector<sockaddr_in> addrs{rs[0].address(), address("10.77.0.1", 9), rs[1].address(),
                                       address("10.8.0.2", 9), address("10.9.0.2", 9)};
        std::vector<Counters> all;
        for (const auto &c : cases) {
            std::string bytes(c.size, 'x');
            auto before = snmp_counters();
            sender([&] {
                Sender s;
                ASSERT_EQ(s.option(SOL_IP, IP_RECVERR, c.recverr), 0);
                if (group) {
                    ASSERT_EQ(s.set(addrs), 0);
                    EXPECT_EQ(s.send(bytes), static_cast<long>(c.size));
                    EXPECT_EQ(s.stat().totals.failed, 3u);
                } else {
                    for (const auto &addr : addrs)
                        s.send_to(bytes, addr);
                }
            });
            EXPECT_EQ(rs[0].next(), bytes);
            auto after = snmp_counters();
            for (auto &[name, value] : after)
                value -= before[name];
            all.push_back(after);
        }
        return all;
    };

    auto one = moved(false), group = moved(true);
    for (size_t i = 0; i < std::size(cases); i++) {
        SCOPED_TRACE(std::to_string(cases[i].size) + (cases[i].recverr ? " IP_RECVERR" : ""));
        EXPECT_EQ(group[i], one[i]);
        // so that none of them is equal because nothing happened
        EXPECT_EQ(one[i]["UdpOutDatagrams"], 2);
        EXPECT_EQ(one[i]["UdpInDatagrams"], 1);
        EXPECT_GE(one[i]["UdpSndbufErrors"], 1);
        EXPECT_EQ(one[i]["IpOutNoRoutes"], 1);
        EXPECT_GE(one[i]["IpOutDiscards"], 1);
        EXPECT_GE(one[i]["IpOutRequests"], 4);
        EXPECT_GE(one[i]["IpFragOKs"], cases[i].size == 4000 ? 1 : 0);
    }
}

} // namespace
} // namespace selftest
