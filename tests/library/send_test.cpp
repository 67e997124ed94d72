// SPDX-License-Identifier: GPL-2.0-only
// What one send does: whom it reaches, what it refuses, what ends it.

#include "support.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace library_test {
namespace {

TEST(Send, ReachesEveryMemberOnce)
{
    std::vector<Receiver> rs(20);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    for (std::string_view data : {"", "a", "hello"})
        EXPECT_EQ(s.send(data), static_cast<ssize_t>(data.size()));
    for (const auto &r : rs) {
        EXPECT_EQ(r.next(), "");
        EXPECT_EQ(r.next(), "a");
        EXPECT_EQ(r.next(), "hello");
        EXPECT_TRUE(r.empty());
    }
}

TEST(Send, OnlyToTheMembersOfNow)
{
    std::vector<Receiver> rs(3);
    Sender s;
    ASSERT_EQ(s.set(std::vector{rs[0].address(), rs[1].address()}), 0);
    EXPECT_EQ(s.send("first"), 5);
    ASSERT_EQ(s.set(std::vector{rs[1].address(), rs[2].address()}), 0);
    EXPECT_EQ(s.send("second"), 6);
    ASSERT_EQ(s.set_raw(nullptr, 0), 0);
    EXPECT_EQ(s.send("third"), -EDESTADDRREQ);

    EXPECT_EQ(rs[0].next(), "first");
    EXPECT_EQ(rs[1].next(), "first");
    EXPECT_EQ(rs[1].next(), "second");
    EXPECT_EQ(rs[2].next(), "second");
    for (const auto &r : rs)
        EXPECT_TRUE(r.empty());
}

TEST(Send, LongestDatagram)
{
    std::vector<Receiver> rs(2);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);

    std::string data(65507, 'x');
    EXPECT_EQ(s.send(data), 65507);
    for (const auto &r : rs)
        EXPECT_EQ(r.next(), data);
    EXPECT_EQ(s.stat().totals.sent, 2U);

    // What no IPv4 datagram can hold is every member's own failure
    data += 'x';
    EXPECT_EQ(s.send(data), 65508);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, 2U);
    EXPECT_EQ(stat.totals.sent, 2U);
    EXPECT_EQ(stat.totals.failed, 2U);
    for (const auto &m : stat.members) {
        EXPECT_EQ(m.failed, 1U);
        EXPECT_EQ(m.error, EMSGSIZE);
        EXPECT_EQ(m.icmp, 0U);
    }

    // What the UDP header cannot express is the message's
    EXPECT_EQ(s.send(std::string(65536, 'x')), -EMSGSIZE);
    EXPECT_EQ(s.send(std::string(1 << 20, 'x')), -EMSGSIZE);
    EXPECT_EQ(s.stat().totals.sends, 2U);
    for (const auto &r : rs)
        EXPECT_TRUE(r.empty());
}

TEST(Send, RefusesWhatHasOneDestination)
{
    Receiver r;
    Sender s;
    ASSERT_EQ(s.set(std::vector{r.address()}), 0);
    EXPECT_EQ(s.send("x", MSG_MORE), -EOPNOTSUPP);
    EXPECT_EQ(s.send("x", MSG_OOB), -EOPNOTSUPP);
    EXPECT_EQ(s.stat().totals.sends, 0U);
    EXPECT_TRUE(r.empty());
}

TEST(Send, UnreadableDataIsNoMembersFault)
{
    Receiver r;
    Sender s;
    ASSERT_EQ(s.set(std::vector{r.address(), many(1)[0]}), 0);
    EXPECT_EQ(groupcast_send(s.group(), nullptr, 5, 0), -EFAULT);
    EXPECT_EQ(groupcast_sendmsg(s.group(), nullptr, 0), -EFAULT);
    void *page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    EXPECT_EQ(groupcast_send(s.group(), page, 5, 0), -EFAULT);
    munmap(page, 4096);

    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, 0U);
    EXPECT_EQ(stat.totals.failed, 0U);
    EXPECT_EQ(stat.members[0].error, 0);
    EXPECT_TRUE(r.empty());
    EXPECT_EQ(groupcast_send(s.group(), nullptr, 0, 0), 0);
    EXPECT_EQ(r.next(), "");
}

TEST(Send, ShutDownEndsIt)
{
    Receiver r;
    Sender s;
    // Linux shuts down nothing but what is connected, so that comes first
    ASSERT_EQ(connect(s.fd(), generic(r.address()), sizeof(sockaddr_in)), 0);
    ASSERT_EQ(shutdown(s.fd(), SHUT_WR), 0);
    sockaddr none{};
    none.sa_family = AF_UNSPEC;
    ASSERT_EQ(connect(s.fd(), &none, sizeof(none)), 0);
    ASSERT_EQ(s.set(std::vector{r.address()}), 0);
    EXPECT_EQ(s.send("x"), -EPIPE);
    EXPECT_EQ(s.stat().totals.sends, 0U);
}

TEST(Send, ExplicitDestinationIsAlone)
{
    std::vector<Receiver> rs(2);
    Receiver other;
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    EXPECT_EQ(s.send_to("other", other.address()), 5);
    EXPECT_EQ(s.send_to("member", rs[1].address()), 6);
    EXPECT_EQ(other.next(), "other");
    EXPECT_EQ(rs[1].next(), "member");
    EXPECT_TRUE(rs[0].empty());
    EXPECT_TRUE(rs[1].empty());
    EXPECT_EQ(s.stat().totals.sends, 0U);
}

TEST(Send, PendingDatagramGoesBeforeTheGroup)
{
    Receiver r;
    Receiver other;
    Sender s;
    ASSERT_EQ(s.set(std::vector{r.address()}), 0);
    ASSERT_EQ(s.send_to("one ", other.address(), MSG_MORE), 4);
    EXPECT_EQ(s.send("datagram"), 8);
    EXPECT_EQ(other.next(), "one datagram");
    EXPECT_TRUE(r.empty());
    EXPECT_EQ(s.send("group"), 5);
    EXPECT_EQ(r.next(), "group");
    EXPECT_EQ(s.stat().totals.sends, 1U);
}

// A message with one IP-level control message that holds an int.
class ControlMessage {
public:
    ControlMessage(int type, int value, size_t len = sizeof(int))
    {
        msg_.msg_iov = iov_;
        msg_.msg_iovlen = 2;
        msg_.msg_control = control_;
        msg_.msg_controllen = CMSG_SPACE(sizeof(int));
        cmsghdr *cmsg = CMSG_FIRSTHDR(&msg_);
        cmsg->cmsg_level = IPPROTO_IP;
        cmsg->cmsg_type = type;
        cmsg->cmsg_len = CMSG_LEN(len);
        std::memcpy(CMSG_DATA(cmsg), &value, sizeof(value));
    }
    const msghdr *get() const { return &msg_; }

private:
    char first_[5] = {'s', 'o', 'm', 'e', ' '};
    char second_[4] = {'d', 'a', 't', 'a'};
    iovec iov_[2] = {{first_, sizeof(first_)}, {second_, sizeof(second_)}};
    alignas(cmsghdr) char control_[CMSG_SPACE(sizeof(int))] = {};
    msghdr msg_{};
};

int received_ttl(const Receiver &r, std::string &data)
{
    alignas(cmsghdr) char control[256];
    data.assign(64, '\0');
    iovec iov{data.data(), data.size()};
    msghdr msg{};
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control;
    msg.msg_controllen = sizeof(control);
    ssize_t n = recvmsg(r.fd(), &msg, 0);
    data.resize(n < 0 ? 0 : static_cast<size_t>(n));
    for (cmsghdr *c = CMSG_FIRSTHDR(&msg); c != nullptr; c = CMSG_NXTHDR(&msg, c)) {
        int ttl = 0;
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) {
            std::memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
            return ttl;
        }
    }
    return -1;
}

TEST(Send, ControlMessagesHoldForEveryMember)
{
    std::vector<Receiver> rs(3);
    Sender s;
    for (const auto &r : rs)
        ASSERT_EQ(set_option(r.fd(), IPPROTO_IP, IP_RECVTTL, 1), 0);
    ASSERT_EQ(s.set(addresses(rs)), 0);
    EXPECT_EQ(groupcast_sendmsg(s.group(), ControlMessage(IP_TTL, 7).get(), 0), 9);
    for (const auto &r : rs) {
        std::string data;
        EXPECT_EQ(received_ttl(r, data), 7);
        EXPECT_EQ(data, "some data");
    }
}

TEST(Send, WrongControlMessageIsNoMembersFault)
{
    Receiver r;
    Sender s;
    ASSERT_EQ(s.set(std::vector{r.address()}), 0);
    EXPECT_EQ(groupcast_sendmsg(s.group(), ControlMessage(IP_TTL, 256).get(), 0), -EINVAL);
    EXPECT_EQ(groupcast_sendmsg(s.group(), ControlMessage(9999, 0).get(), 0), -EINVAL);
    EXPECT_EQ(groupcast_sendmsg(s.group(), ControlMessage(IP_TTL, 7, 1).get(), 0), -EINVAL);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, 0U);
    EXPECT_EQ(stat.totals.failed, 0U);
    EXPECT_TRUE(r.empty());
}

// What sendto() says of an address to which this host does not send.
int refused(const sockaddr_in &addr)
{
    groupcast::socket plain;
    return sendto(plain.fd(), "x", 1, 0, generic(addr), sizeof(addr)) < 0 ? errno : 0;
}

TEST(Send, FailingMemberIsAlone)
{
    // Without SO_BROADCAST it is refused, whatever routes there are
    const auto broadcast = [](uint16_t port) { return groupcast::ipv4("255.255.255.255", port); };
    const int err = refused(broadcast(9));
    ASSERT_NE(err, 0);

    std::vector<Receiver> rs(4);
    Sender s;
    ASSERT_EQ(s.set(std::vector{broadcast(1), rs[0].address(), rs[1].address(), broadcast(2),
                                broadcast(3), rs[2].address(), rs[3].address(), broadcast(4)}),
              0);
    EXPECT_EQ(s.send("data"), 4);
    for (const auto &r : rs) {
        EXPECT_EQ(r.next(), "data");
        EXPECT_TRUE(r.empty());
    }
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, 1U);
    EXPECT_EQ(stat.totals.sent, 4U);
    EXPECT_EQ(stat.totals.failed, 4U);
    EXPECT_EQ(stat.totals.unreached, 0U);
    for (size_t slot : {0, 3, 4, 7}) {
        EXPECT_EQ(stat.members[slot].failed, 1U);
        EXPECT_EQ(stat.members[slot].sent, 0U);
        EXPECT_EQ(stat.members[slot].error, err);
    }
    for (size_t slot : {1, 2, 5, 6}) {
        EXPECT_EQ(stat.members[slot].sent, 1U);
        EXPECT_EQ(stat.members[slot].failed, 0U);
        EXPECT_EQ(stat.members[slot].error, 0);
    }

    // With nobody but failing ones the send has still passed them
    ASSERT_EQ(s.set(std::vector{broadcast(1), broadcast(2)}), 0);
    EXPECT_EQ(s.send("data"), 4);
    EXPECT_EQ(s.stat().totals.failed, 6U);
}

// A receiver for a hundred addresses of 127.0.0.0/8, all of which are here. No
// more than that fits its buffer.
class HundredReceiver {
public:
    explicit HundredReceiver(unsigned index) : receiver_("0.0.0.0")
    {
        if (set_option(receiver_.fd(), IPPROTO_IP, IP_PKTINFO, 1) != 0)
            throw std::runtime_error("IP_PKTINFO");
        for (unsigned i = 1; i <= 100; i++) {
            sockaddr_in addr = receiver_.address();
            addr.sin_addr.s_addr = htonl(0x7f000000U + (index + 1) * 0x100U + i);
            addrs_.push_back(addr);
        }
    }
    const std::vector<sockaddr_in> &addresses() const { return addrs_; }

    // The addresses at which a datagram with this data has come in.
    std::multiset<uint32_t> received(std::string_view data) const
    {
        std::multiset<uint32_t> at;
        for (;;) {
            char buf[64];
            alignas(cmsghdr) char control[256];
            iovec iov{buf, sizeof(buf)};
            msghdr msg{};
            msg.msg_iov = &iov;
            msg.msg_iovlen = 1;
            msg.msg_control = control;
            msg.msg_controllen = sizeof(control);
            ssize_t n = recvmsg(receiver_.fd(), &msg, MSG_DONTWAIT);
            if (n < 0)
                return at;
            EXPECT_EQ(data, std::string_view(buf, static_cast<size_t>(n)));
            cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
            in_pktinfo info{};
            if (cmsg == nullptr)
                throw std::runtime_error("no IP_PKTINFO");
            std::memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
            at.insert(info.ipi_addr.s_addr);
        }
    }

private:
    Receiver receiver_;
    std::vector<sockaddr_in> addrs_;
};

TEST(Send, MoreMembersThanOneSystemCallTakes)
{
    std::vector<HundredReceiver> rs;
    std::vector<sockaddr_in> addrs;
    for (unsigned i = 0; i < 21; i++) {
        rs.emplace_back(i);
        const auto &more = rs.back().addresses();
        addrs.insert(addrs.end(), more.begin(), more.end());
    }
    // Failing ones where a batch of 1024 ends, begins, and at both ends of all
    for (size_t slot : {0, 1023, 1024, 2047, 2104})
        addrs.insert(addrs.begin() + static_cast<ptrdiff_t>(slot),
                     groupcast::ipv4("255.255.255.255", static_cast<uint16_t>(slot + 1)));
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    EXPECT_EQ(s.send("to thousands"), 12);
    for (const auto &r : rs) {
        std::multiset<uint32_t> expected;
        for (const auto &addr : r.addresses())
            expected.insert(addr.sin_addr.s_addr);
        EXPECT_EQ(r.received("to thousands"), expected);
    }
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sent, 2100U);
    EXPECT_EQ(stat.totals.failed, 5U);
    ASSERT_EQ(stat.members.size(), 2105U);
    for (const auto &m : stat.members) {
        bool fails = m.addr.in.sin_addr.s_addr == INADDR_BROADCAST;
        EXPECT_EQ(m.sent, fails ? 0U : 1U) << "slot " << m.slot;
        EXPECT_EQ(m.failed, fails ? 1U : 0U) << "slot " << m.slot;
    }
}

} // namespace
} // namespace library_test
