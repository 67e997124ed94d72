// SPDX-License-Identifier: GPL-2.0-only
// Sockets over IPv6, with members of both families.

#include "support.hpp"

#include <cstring>

namespace library_test {
namespace {

using groupcast::address;
using groupcast::ip;
using groupcast::ipv4;
using groupcast::ipv6;

class Receiver6 {
public:
    Receiver6() : socket_(ip::v6)
    {
        socket_.bind(ipv6("::1", 0));
        set_patience(socket_.fd());
    }
    address addr() const { return socket_.local_address(); }
    std::string next(int flags = 0) const
    {
        char data[256];
        ssize_t n = recv(socket_.fd(), data, sizeof(data), flags);
        return n < 0 ? "nothing" : std::string(data, static_cast<size_t>(n));
    }

private:
    groupcast::socket socket_;
};

sockaddr_in6 mapped(const sockaddr_in &in)
{
    auto in6 = ipv6("::ffff:0.0.0.0", ntohs(in.sin_port));
    std::memcpy(&in6.sin6_addr.s6_addr[12], &in.sin_addr, 4);
    return in6;
}

TEST(IPv6, MembersOfBothFamilies)
{
    Receiver6 six[2];
    std::vector<Receiver> four(3);
    Sender s(ip::v6);
    auto mapped_four = mapped(four[1].address());
    ASSERT_EQ(s.set({six[0].addr(), four[0].address(), mapped_four}), 0);
    ASSERT_EQ(s.add({four[2].address(), six[1].addr()}), 0);
    for (std::string data : {"", "hello"}) {
        EXPECT_EQ(s.send(data), static_cast<ssize_t>(data.size()));
        for (const auto &r : six)
            EXPECT_EQ(r.next(), data);
        for (const auto &r : four)
            EXPECT_EQ(r.next(), data);
    }
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sent, 10U);
    ASSERT_EQ(stat.members.size(), 5U);

    // As they were given, each as long as its family says
    size_t len = 0;
    EXPECT_EQ(groupcast_get(s.group(), nullptr, &len), -ERANGE);
    EXPECT_EQ(len, 3 * sizeof(sockaddr_in6) + 2 * sizeof(sockaddr_in));
    EXPECT_EQ(stat.members[2].addr.family, AF_INET6);
    EXPECT_EQ(stat.members[3].addr.family, AF_INET);
    EXPECT_EQ(std::memcmp(&stat.members[2].addr.in6, &mapped_four, sizeof(mapped_four)), 0);
    EXPECT_EQ(s.slots()[4].second, six[1].addr());

    ASSERT_EQ(s.del({six[0].addr(), four[0].address()}), 0);
    EXPECT_EQ(s.send("fewer"), 5);
    EXPECT_EQ(six[0].next(MSG_DONTWAIT), "nothing");
    EXPECT_TRUE(four[0].empty());
    EXPECT_EQ(six[1].next(), "fewer");
    EXPECT_EQ(four[1].next(), "fewer");
    EXPECT_EQ(s.totals().holes, 2U);
}

TEST(IPv6, MembersComeBackAsAddresses)
{
    groupcast::socket socket(ip::v6);
    groupcast::group group(socket.fd());
    const std::vector<address> members{ipv6("2001:db8::1", 1), ipv4("192.0.2.1", 2),
                                       ipv6("fe80::1", 3, 1)};
    group.set(members);
    EXPECT_EQ(group.members(), members);
    EXPECT_EQ(group.members()[2].in6().sin6_scope_id, 1U);
}

TEST(IPv6, MappedAddressIsTheIPv4Address)
{
    Sender s(ip::v6);
    const auto in = ipv4("127.0.0.1", 9);
    EXPECT_EQ(s.set({in, mapped(in)}), -EADDRINUSE);
    ASSERT_EQ(s.set(in), 0);
    EXPECT_EQ(s.add(mapped(in)), -EADDRINUSE);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    EXPECT_EQ(s.send_with("x", {.skip = mapped(in)}), 1);
    EXPECT_EQ(s.totals().skipped, 1U);
    EXPECT_EQ(s.del(mapped(in)), 0);
    EXPECT_EQ(s.stat().totals.members, 0U);
    // Nearly the same is another
    EXPECT_EQ(s.set({in, ipv6("::127.0.0.1", 9), ipv4("127.0.0.1", 10)}), 0);
}

// A member that leaves the link to the socket is heard on one.
TEST(IPv6, AMemberWithoutAScopeIsFoundWithOne)
{
    Sender s(ip::v6);
    const auto any = ipv6("fe80::1", 9), heard = ipv6("fe80::1", 9, 1);
    ASSERT_EQ(s.set({any, ipv6("fe80::2", 9)}), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    EXPECT_EQ(s.send_with("x", {.skip = heard}), 2);
    EXPECT_EQ(s.totals().skipped, 1U);
    // One with that scope is that one, also if it is named twice
    ASSERT_EQ(s.add(heard), 0);
    EXPECT_EQ(s.del({heard, heard}), -EADDRNOTAVAIL);
    EXPECT_EQ(s.del(heard), 0);
    EXPECT_EQ(s.slots()[0].second, any);
    EXPECT_EQ(s.del(heard), 0);
    EXPECT_EQ(s.del(heard), -EADDRNOTAVAIL);
    EXPECT_EQ(s.stat().totals.members, 1U);
}

TEST(IPv6, ScopeCountsWhereThereIsALink)
{
    Sender s(ip::v6);
    EXPECT_EQ(s.set({ipv6("fe80::1", 9, 1), ipv6("fe80::1", 9, 2)}), 0);
    EXPECT_EQ(s.set({ipv6("2001:db8::1", 9, 1), ipv6("2001:db8::1", 9, 2)}), -EADDRINUSE);
}

TEST(IPv6, Mistakes)
{
    Sender s(ip::v6);
    EXPECT_EQ(s.set(ipv6("::1", 0)), -EINVAL);
    auto in6 = ipv6("::1", 9);
    EXPECT_EQ(s.set_raw(&in6, sizeof(in6) - 1), -EINVAL);
    EXPECT_EQ(s.set_raw(&in6, sizeof(sockaddr_in)), -EINVAL);
    in6.sin6_family = AF_UNIX;
    EXPECT_EQ(s.set_raw(&in6, sizeof(in6)), -EAFNOSUPPORT);
    EXPECT_EQ(s.generation(), 0U);
}

TEST(IPv6, DeadPeersAreAttributed)
{
    address dead6 = Receiver6().addr();
    address dead4 = dead_addresses(1)[0];
    Receiver6 six;
    Receiver four;
    Sender s(ip::v6);
    ASSERT_EQ(s.set({dead6, six.addr(), dead4, four.address(), mapped(dead_addresses(1)[0])}), 0);
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(s.send(std::to_string(i)), 1);
    for (int i = 0; i < 5; i++) {
        EXPECT_EQ(six.next(), std::to_string(i));
        EXPECT_EQ(four.next(), std::to_string(i));
    }
    EXPECT_TRUE(s.await_icmp(15));
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sent, 25U);
    EXPECT_EQ(stat.totals.failed, 0U);
    EXPECT_EQ(stat.totals.icmp, 15U);
    for (const auto &m : stat.members) {
        const bool is_dead = m.slot % 2 == 0;
        EXPECT_EQ(m.icmp, is_dead ? 5U : 0U) << m.slot;
        EXPECT_EQ(m.error, is_dead ? ECONNREFUSED : 0) << m.slot;
    }
}

TEST(IPv6, SocketIsLeftAsItWas)
{
    for (int before : {0, 1}) {
        groupcast::socket socket(ip::v6);
        ASSERT_EQ(set_option(socket.fd(), IPPROTO_IPV6, IPV6_RECVERR, before), 0);
        ASSERT_EQ(set_option(socket.fd(), IPPROTO_IP, IP_RECVERR, before), 0);
        {
            groupcast::group group(socket.fd());
            group.add(ipv6("::1", 9));
        }
        EXPECT_EQ(get_option(socket.fd(), IPPROTO_IPV6, IPV6_RECVERR), before);
        EXPECT_EQ(get_option(socket.fd(), IPPROTO_IP, IP_RECVERR), before);
    }
}

TEST(IPv6, OnlyIPv6)
{
    Receiver6 six;
    Receiver four;
    Sender s(ip::v6);
    ASSERT_EQ(set_option(s.fd(), IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    ASSERT_EQ(s.set({four.address(), six.addr()}), 0);
    EXPECT_EQ(s.send("six"), 3);
    EXPECT_EQ(six.next(), "six");
    EXPECT_TRUE(four.empty());
    auto stat = s.stat();
    EXPECT_EQ(stat.members[0].failed, 1U);
    EXPECT_EQ(stat.members[0].error, ENETUNREACH);
}

TEST(IPv6, PartsOfTheirOwn)
{
    Receiver6 six;
    Receiver four;
    Sender s(ip::v6);
    ASSERT_EQ(s.set({four.address(), six.addr()}), 0);
    const char parts[] = {'4', '6'};
    auto prefixes = groupcast::prefixes::of(parts, s.generation());
    EXPECT_EQ(s.send_with(" shared", {.prefixes = prefixes}), 9);
    EXPECT_EQ(four.next(), "4 shared");
    EXPECT_EQ(six.next(), "6 shared");
}

TEST(IPv6, AddressesAsText)
{
    EXPECT_EQ(to_string(address(ipv4("192.0.2.1", 5004))), "192.0.2.1:5004");
    EXPECT_EQ(to_string(address(ipv6("2001:db8::1", 5004))), "[2001:db8::1]:5004");
    std::error_code ec;
    for (const char *wrong : {"", "::g", "1.2.3.4", ":::", "1:2:3:4:5:6:7:8:9"}) {
        ipv6(wrong, 1, ec);
        EXPECT_EQ(ec, std::errc::invalid_argument) << wrong;
    }
    EXPECT_EQ(address(ipv4("192.0.2.1", 1)), address(ipv6("::ffff:192.0.2.1", 1)));
    EXPECT_FALSE(address(ipv4("192.0.2.1", 1)) == address(ipv4("192.0.2.1", 2)));
    EXPECT_FALSE(address(ipv6("fe80::1", 1, 1)) == address(ipv6("fe80::1", 1, 2)));
}

} // namespace
} // namespace library_test
