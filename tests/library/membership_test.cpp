// SPDX-License-Identifier: GPL-2.0-only
// Who is in the group: set, get, and all that set refuses.

#include "support.hpp"

#include <netinet/udp.h>

#include <cstring>

namespace library_test {
namespace {

TEST(Membership, RoundTrip)
{
    Sender s;
    auto addrs = many(100);
    ASSERT_EQ(s.set(addrs), 0);
    EXPECT_EQ(s.members(), addrs);
}

TEST(Membership, PaddingDoesNotMatter)
{
    Sender s;
    auto addrs = many(1);
    std::memset(addrs[0].sin_zero, 0xff, sizeof(addrs[0].sin_zero));
    ASSERT_EQ(s.set(addrs), 0);
    auto members = s.members();
    sockaddr_in clean = many(1)[0];
    ASSERT_EQ(members.size(), 1U);
    EXPECT_EQ(std::memcmp(members.data(), &clean, sizeof(clean)), 0);
}

TEST(Membership, GetSaysHowMuchItNeeds)
{
    Sender s;
    auto addrs = many(3);
    ASSERT_EQ(s.set(addrs), 0);

    std::vector<sockaddr_in> got(3);
    size_t len = sizeof(sockaddr_in) * 3 - 1;
    EXPECT_EQ(groupcast_get(s.group(), got.data(), &len), -ERANGE);
    EXPECT_EQ(len, sizeof(sockaddr_in) * 3);
    EXPECT_EQ(got, std::vector<sockaddr_in>(3));

    len = 0;
    EXPECT_EQ(groupcast_get(s.group(), nullptr, &len), -ERANGE);
    EXPECT_EQ(len, sizeof(sockaddr_in) * 3);
    EXPECT_EQ(groupcast_get(s.group(), nullptr, &len), -EFAULT);
    EXPECT_EQ(groupcast_get(s.group(), got.data(), nullptr), -EFAULT);

    EXPECT_EQ(groupcast_get(s.group(), got.data(), &len), 0);
    EXPECT_EQ(got, addrs);
    len = SIZE_MAX;
    EXPECT_EQ(groupcast_get(s.group(), got.data(), &len), 0);
    EXPECT_EQ(len, sizeof(sockaddr_in) * 3);
}

TEST(Membership, NoGroupHasNoMembers)
{
    Sender s;
    size_t len = 16;
    EXPECT_EQ(groupcast_get(s.group(), nullptr, &len), 0);
    EXPECT_EQ(len, 0U);
    EXPECT_TRUE(s.members().empty());
}

TEST(Membership, LargestGroup)
{
    Sender s;
    auto addrs = many(UDP_GROUP_MAX_MEMBERS + 1);
    EXPECT_EQ(s.set(addrs), -ENOBUFS);
    addrs.pop_back();
    ASSERT_EQ(s.set(addrs), 0);
    EXPECT_EQ(s.members(), addrs);
    auto stat = s.stat();
    ASSERT_EQ(stat.members.size(), addrs.size());
    EXPECT_EQ(stat.members.back().addr.in, addrs.back());
    EXPECT_EQ(s.set_raw(nullptr, 0), 0);
}

TEST(Membership, GenerationCountsChanges)
{
    Sender s;
    EXPECT_EQ(s.generation(), 0U);
    EXPECT_EQ(s.set_raw(nullptr, 0), 0);
    EXPECT_EQ(s.generation(), 0U);
    EXPECT_EQ(s.set(many(1)), 0);
    EXPECT_EQ(s.generation(), 1U);
    EXPECT_EQ(s.set(many(1)), 0);
    EXPECT_EQ(s.generation(), 2U);
    EXPECT_EQ(s.set_raw(nullptr, 0), 0);
    EXPECT_EQ(s.generation(), 3U);
    EXPECT_EQ(s.set_raw(nullptr, 0), 0);
    EXPECT_EQ(s.generation(), 3U);
    EXPECT_EQ(s.set(many(2)), 0);
    EXPECT_EQ(s.generation(), 4U);
}

// Packed addresses, some of which are wrong.
class Packed {
public:
    Packed &v4(uint32_t addr, uint16_t port, sa_family_t family = AF_INET)
    {
        sockaddr_in sin{};
        sin.sin_family = family;
        sin.sin_port = htons(port);
        sin.sin_addr.s_addr = htonl(addr);
        return raw(&sin, sizeof(sin));
    }
    Packed &v6()
    {
        sockaddr_in6 sin6{};
        sin6.sin6_family = AF_INET6;
        sin6.sin6_port = htons(9);
        return raw(&sin6, sizeof(sin6));
    }
    Packed &cut(size_t n)
    {
        bytes_.resize(bytes_.size() - n);
        return *this;
    }
    const std::string &bytes() const { return bytes_; }

private:
    Packed &raw(const void *data, size_t len)
    {
        bytes_.append(static_cast<const char *>(data), len);
        return *this;
    }
    std::string bytes_;
};

struct Mistake {
    const char *what;
    Packed addrs;
    int err;
};

std::vector<Mistake> mistakes()
{
    return {
        {"one byte", Packed().v4(1, 1).cut(15), EINVAL},
        {"cut by one", Packed().v4(1, 1).cut(1), EINVAL},
        {"second cut", Packed().v4(1, 1).v4(2, 1).cut(8), EINVAL},
        {"IPv6", Packed().v6(), EAFNOSUPPORT},
        {"IPv6 behind IPv4", Packed().v4(1, 1).v6(), EAFNOSUPPORT},
        {"no family", Packed().v4(1, 1, AF_UNSPEC), EAFNOSUPPORT},
        {"port 0", Packed().v4(1, 1).v4(2, 0), EINVAL},
        {"twice", Packed().v4(1, 1).v4(2, 1).v4(1, 1), EADDRINUSE},
        {"port 0, then twice", Packed().v4(2, 0).v4(1, 1).v4(1, 1), EINVAL},
        {"twice, then port 0", Packed().v4(1, 1).v4(1, 1).v4(2, 0), EADDRINUSE},
        {"port 0 twice", Packed().v4(1, 0).v4(1, 0), EINVAL},
        {"port 0, then IPv6", Packed().v4(1, 0).v6(), EAFNOSUPPORT},
        {"port 0, then cut", Packed().v4(1, 0).v4(2, 1).cut(1), EINVAL},
        {"twice, then IPv6", Packed().v4(1, 1).v4(1, 1).v6(), EAFNOSUPPORT},
        {"twice, then cut", Packed().v4(1, 1).v4(1, 1).v4(2, 1).cut(1), EINVAL},
    };
}

TEST(Membership, MistakesChangeNothing)
{
    Sender without;
    Sender with;
    auto addrs = many(2);
    ASSERT_EQ(with.set(addrs), 0);
    for (const auto &m : mistakes()) {
        SCOPED_TRACE(m.what);
        const auto &bytes = m.addrs.bytes();
        EXPECT_EQ(without.set_raw(bytes.data(), bytes.size()), -m.err);
        EXPECT_EQ(with.set_raw(bytes.data(), bytes.size()), -m.err);
    }
    EXPECT_EQ(with.set_raw(nullptr, 16), -EFAULT);
    EXPECT_EQ(with.set_raw(nullptr, SIZE_MAX), -ENOBUFS);
    // Too many are told before what is wrong with one
    auto too_many = many(UDP_GROUP_MAX_MEMBERS + 1);
    EXPECT_EQ(with.set(too_many), -ENOBUFS);
    too_many[1].sin_port = 0;
    too_many[3] = too_many[2];
    EXPECT_EQ(with.set(too_many), -ENOBUFS);

    EXPECT_EQ(with.members(), addrs);
    EXPECT_EQ(with.generation(), 1U);
    EXPECT_TRUE(without.members().empty());
    EXPECT_EQ(without.generation(), 0U);
    EXPECT_EQ(without.send("x"), -EDESTADDRREQ);
    // Nor does a refused group leave a trace on the socket
    EXPECT_EQ(get_option(without.fd(), IPPROTO_IP, IP_RECVERR), 0);
}

TEST(Membership, SameAddressOtherPort)
{
    Sender s;
    Packed packed = Packed().v4(1, 1).v4(1, 2).v4(2, 1);
    EXPECT_EQ(s.set_raw(packed.bytes().data(), packed.bytes().size()), 0);
    EXPECT_EQ(s.members().size(), 3U);
}

TEST(Membership, NotOnAConnectedSocket)
{
    Receiver r;
    Sender s;
    ASSERT_EQ(connect(s.fd(), generic(r.address()), sizeof(sockaddr_in)), 0);
    EXPECT_EQ(s.set(many(1)), -EISCONN);
    EXPECT_EQ(s.set_raw(nullptr, 0), -EISCONN);
    EXPECT_EQ(s.generation(), 0U);
    // Without a group the call is send(2)
    EXPECT_EQ(s.send("peer"), 4);
    EXPECT_EQ(r.next(), "peer");

    sockaddr none{};
    none.sa_family = AF_UNSPEC;
    ASSERT_EQ(connect(s.fd(), &none, sizeof(none)), 0);
    EXPECT_EQ(s.set(many(1)), 0);
}

TEST(Membership, NotOnACorkedSocket)
{
    Sender s;
    ASSERT_EQ(set_option(s.fd(), IPPROTO_UDP, UDP_CORK, 1), 0);
    EXPECT_EQ(s.set(many(1)), -EBUSY);
    ASSERT_EQ(set_option(s.fd(), IPPROTO_UDP, UDP_CORK, 0), 0);
    EXPECT_EQ(s.set(many(1)), 0);
    ASSERT_EQ(set_option(s.fd(), IPPROTO_UDP, UDP_CORK, 1), 0);
    EXPECT_EQ(s.set(many(2)), -EBUSY);
    EXPECT_EQ(s.set_raw(nullptr, 0), -EBUSY);
    EXPECT_EQ(s.send("x"), -EOPNOTSUPP);
    EXPECT_EQ(s.members().size(), 1U);
    EXPECT_EQ(s.generation(), 1U);
    ASSERT_EQ(set_option(s.fd(), IPPROTO_UDP, UDP_CORK, 0), 0);
}

TEST(Membership, NotWhileADatagramIsInTheMaking)
{
    Receiver r;
    Sender s;
    ASSERT_EQ(s.send_to("one ", r.address(), MSG_MORE), 4);
    EXPECT_EQ(s.set(many(1)), -EBUSY);
    ASSERT_EQ(s.send_to("datagram", r.address()), 8);
    EXPECT_EQ(r.next(), "one datagram");
    EXPECT_EQ(s.set(many(1)), 0);
}

} // namespace
} // namespace library_test
