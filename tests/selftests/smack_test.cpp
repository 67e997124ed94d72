// SPDX-License-Identifier: GPL-2.0-only
// Smack decides about each member as about a sendto() to it. Its labels of hosts
// are the system's: the addresses are nobody else's.

#include "families.hpp"
#include "ip6.hpp"
#include "policy.hpp"
#include "smack.hpp"

namespace selftest {
namespace {

class Smack : public Policy {
protected:
    static std::vector<Receiver> labelled(const std::vector<std::string> &labels)
    {
        std::vector<Receiver> rs;
        for (size_t i = 0; i < labels.size(); i++) {
            const std::string host = "127.66.0." + std::to_string(i + 1);
            label_host(host, labels[i]);
            rs.emplace_back(host);
        }
        return rs;
    }
    void TearDown() override
    {
        for (int i = 1; i <= 5; i++)
            label_host("127.66.0." + std::to_string(i), "@");
    }
};

INSTANTIATE_TEST_SUITE_P(By, Smack, testing::Values(0, 65534),
                         [](const auto &user) { return user.param ? "Nobody" : "Root"; });

TEST_P(Smack, RefusesMembersWhoseLabelMayNotBeWritten)
{
    auto rs = labelled({"@", "Secret", "@", "Open", "Secret"});
    allow("_", "Secret", "-");
    allow("_", "Open", "w");
    sender([&] { expect_same(rs, {0, EACCES, 0, 0, EACCES}); });
    // a rule is for the next send on
    allow("_", "Secret", "w");
    sender([&] { expect_same(rs, {0, 0, 0, 0, 0}); });
    allow("_", "Secret", "-");
    allow("_", "Open", "-");
    sender([&] { expect_same(rs, {0, EACCES, 0, EACCES, EACCES}); });
}

// The label is that of the socket, which it has from whoever opened it.
TEST_P(Smack, TheSocketsLabelCounts)
{
    auto rs = labelled({"@", "Theirs", "Mine"});
    allow("Mine", "Theirs", "-");
    sender([] { take_label("Mine"); }, [&] { expect_same(rs, {0, EACCES, 0}); });
    allow("Mine", "Theirs", "w");
    sender([] { take_label("Mine"); }, [&] { expect_same(rs, {0, 0, 0}); });
}

// A label other than the ambient one is an IP option of the socket, until it has
// sent to a host that has a label of its own. Both ways it is on the same
// datagrams.
TEST_P(Smack, TheLabelOnTheWire)
{
    auto rs = neighbours(2);
    auto labels = labelled({"@"});
    allow("Mine", "_", "w");
    const std::vector<sockaddr_in> addrs{rs[0].address(), labels[0].address(), rs[1].address()};
    auto header_lengths = [&](bool group) {
        Capture capture("lo");
        sender([] { take_label("Mine"); },
               [&] {
                   Sender s;
                   ASSERT_EQ(s.set(addrs), 0);
                   for (int round = 0; round < 2; round++) {
                       if (group) {
                           EXPECT_EQ(s.send(data), length);
                       }
                       for (size_t i = 0; i < addrs.size() && !group; i++)
                           EXPECT_EQ(s.send_to(data, addrs[i]), length);
                   }
               });
        for (int round = 0; round < 2; round++) {
            expect_each(rs, data);
            expect_each(labels, data);
        }
        expect_none(rs);
        expect_none(labels);
        std::vector<int> lengths;
        for (const auto &packet : capture.wait(2 * addrs.size()))
            lengths.push_back(4 * (packet[0] & 15));
        return lengths;
    };
    auto one = header_lengths(false);
    ASSERT_EQ(one.size(), 2 * addrs.size());
    EXPECT_GT(one[0], 20) << "no label to be seen";
    EXPECT_EQ(one[2], 20);
    EXPECT_EQ(header_lengths(true), one);
}

// Of a socket of IPv6's Smack takes no address of the other family, which the
// kernel would. Who is given by such a one is refused, and nobody else.
TEST_P(Smack, AnAddressOfTheOtherFamily)
{
    enable_ip6();
    const Peer six(either("::1", 0)), four(either("127.0.0.1", 0));
    const std::vector<Address> addrs{six.address(), four.address(),
                                     either("::ffff:127.0.0.1", ntohs(four.address().in.sin_port))};
    sender([&] {
        Sender s(AF_INET6);
        ASSERT_EQ(change(s, SO_SETGRP, std::span(addrs).first(2)), 0);
        for (size_t i = 0; i < addrs.size(); i++)
            EXPECT_EQ(result(sendto(s.fd(), data.data(), data.size(), 0, &addrs[i].sa,
                                    address_length(addrs[i]))),
                      i == 1 ? -EINVAL : length);
        EXPECT_EQ(s.send(data), length);
        const auto stat = s.stat();
        EXPECT_EQ(stat.totals.sent, 1u);
        EXPECT_EQ(stat.members[1].failed, 1u);
        EXPECT_EQ(stat.members[1].error, EINVAL);
    });
    EXPECT_EQ(four.next(), data); // by the mapped address
    EXPECT_TRUE(four.empty());
    for (int copies = 0; copies < 2; copies++)
        EXPECT_EQ(six.next(), data);
}

// By IPv6 hosts have labels, too.
TEST_P(Smack, OfIPv6)
{
    for (const char *what : {"all", "lo"})
        std::ofstream(std::string("/proc/sys/net/ipv6/conf/") + what + "/disable_ipv6") << 0;
    const std::vector<std::string> hosts{"fd66::1", "fd66::2", "fd66::3"};
    std::vector<Receiver6> rs;
    Packed packed;
    for (const auto &host : hosts) {
        run("ip addr add " + host + "/128 dev lo nodad");
        rs.emplace_back(ip6(host.c_str(), 0));
        packed.add(rs.back().address());
    }
    allow("_", "Secret", "-");
    // as smackfs wants it: all words
    auto label = [](const std::string &word) { label_host6("fd66:0:0:0:0:0:0:2/128", word); };
    label("Secret");
    sender([&] {
        Sender s(AF_INET6);
        ASSERT_EQ(set(s, SO_SETGRP, packed), 0);
        for (size_t i = 0; i < rs.size(); i++) {
            const auto &to = rs[i].address();
            EXPECT_EQ(result(sendto(s.fd(), data.data(), data.size(), 0,
                                    reinterpret_cast<const sockaddr *>(&to), sizeof(to))),
                      i == 1 ? -EACCES : length);
        }
        EXPECT_EQ(s.send(data), length);
        auto stat = s.stat();
        EXPECT_EQ(stat.totals.sent, 2u);
        EXPECT_EQ(stat.members[1].failed, 1u);
        EXPECT_EQ(stat.members[1].error, EACCES);
        for (int copies = 0; copies < 2; copies++) {
            EXPECT_EQ(rs[0].next(), data);
            EXPECT_EQ(rs[2].next(), data);
        }
        EXPECT_TRUE(rs[1].empty());
    });
    label("@");
}

} // namespace
} // namespace selftest
