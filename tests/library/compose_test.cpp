// SPDX-License-Identifier: GPL-2.0-only
// What other features of a socket do with a group: the same on both backends.

#include "absent.hpp"
#include "support.hpp"

#include <linux/capability.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/udp.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace library_test {
namespace {

using groupcast::address;
using groupcast::ip;

// A datagram, and what came beside it.
struct Datagram {
    std::string data;
    int ttl = -1;
    int tos = -1;
    int mark = -1;
    int64_t time = -1; // nanoseconds of CLOCK_REALTIME
    address from;
};

int64_t nanoseconds(const timespec &time)
{
    return int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}

class Tap {
public:
    explicit Tap(const address &at = groupcast::ipv4("127.0.0.1", 0))
        : socket_(at.family() == AF_INET6 ? ip::v6 : ip::v4)
    {
        timeval timeout{};
        timeout.tv_sec = 5;
        set_option(fd(), SOL_SOCKET, SO_REUSEADDR, 1);
        socket_.bind(at);
        setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        set_option(fd(), SOL_SOCKET, SO_TIMESTAMPNS, 1);
        set_option(fd(), SOL_SOCKET, SO_RCVMARK, 1);
        for (int name : {IP_RECVTTL, IP_RECVTOS})
            set_option(fd(), IPPROTO_IP, name, 1);
        if (at.family() == AF_INET6)
            for (int name : {IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS})
                set_option(fd(), IPPROTO_IPV6, name, 1);
    }
    int fd() const { return socket_.fd(); }
    address addr() const { return socket_.local_address(); }

    std::optional<Datagram> next(int flags = 0) const
    {
        Datagram got;
        got.data.resize(65536);
        iovec iov{got.data.data(), got.data.size()};
        alignas(cmsghdr) char control[512];
        sockaddr_storage from{};
        msghdr msg{};
        msg.msg_name = &from;
        msg.msg_namelen = sizeof(from);
        msg.msg_iov = &iov;
        msg.msg_iovlen = 1;
        msg.msg_control = control;
        msg.msg_controllen = sizeof(control);
        ssize_t n = recvmsg(fd(), &msg, flags);
        if (n < 0)
            return std::nullopt;
        got.data.resize(static_cast<size_t>(n));
        std::memcpy(got.from.data(), &from, msg.msg_namelen);
        for (cmsghdr *c = CMSG_FIRSTHDR(&msg); c != nullptr; c = CMSG_NXTHDR(&msg, c))
            read(*c, got);
        return got;
    }
    bool empty() const { return !next(MSG_DONTWAIT); }

private:
    static void read(const cmsghdr &c, Datagram &got)
    {
        const auto *value = CMSG_DATA(&c);
        auto is = [&](int level, int type) { return c.cmsg_level == level && c.cmsg_type == type; };
        if (is(IPPROTO_IP, IP_TTL) || is(IPPROTO_IPV6, IPV6_HOPLIMIT))
            std::memcpy(&got.ttl, value, sizeof(got.ttl));
        else if (is(IPPROTO_IPV6, IPV6_TCLASS))
            std::memcpy(&got.tos, value, sizeof(got.tos));
        else if (is(IPPROTO_IP, IP_TOS))
            got.tos = *value;
        else if (is(SOL_SOCKET, SO_MARK))
            std::memcpy(&got.mark, value, sizeof(got.mark));
        else if (is(SOL_SOCKET, SCM_TIMESTAMPNS)) {
            timespec time{};
            std::memcpy(&time, value, sizeof(time));
            got.time = nanoseconds(time);
        }
    }

    groupcast::socket socket_;
};

std::vector<address> addresses_of(const std::vector<Tap> &taps)
{
    std::vector<address> addrs;
    for (const auto &tap : taps)
        addrs.push_back(tap.addr());
    return addrs;
}

// Each gets these datagrams, and nothing else.
void expect_each(const std::vector<Tap> &taps, const std::vector<std::string> &wanted)
{
    for (const auto &tap : taps) {
        for (const auto &data : wanted) {
            auto got = tap.next();
            ASSERT_TRUE(got);
            EXPECT_EQ(got->data, data);
        }
        EXPECT_TRUE(tap.empty());
    }
}

std::string pattern(size_t len)
{
    std::string data(len, ' ');
    for (size_t i = 0; i < len; i++)
        data[i] = static_cast<char>('a' + i % 23);
    return data;
}

class Compose : public testing::Test {
protected:
    Compose() : taps_(3) { EXPECT_EQ(s_.set(addresses_of(taps_)), 0); }

    void expect_nothing_sent()
    {
        EXPECT_EQ(s_.totals().sends, 0U);
        for (const auto &tap : taps_)
            EXPECT_TRUE(tap.empty());
    }

    std::vector<Tap> taps_;
    Sender s_;
};

/* UDP_SEGMENT */

TEST_F(Compose, SegmentsOfEachMember)
{
    const std::string data = pattern(2500);
    const std::vector<std::string> segments = {data.substr(0, 1000), data.substr(1000, 1000),
                                               data.substr(2000)};
    EXPECT_EQ(Message(data).add(IPPROTO_UDP, UDP_SEGMENT, uint16_t{1000}).send(s_), 2500);
    expect_each(taps_, segments);
    ASSERT_EQ(set_option(s_.fd(), IPPROTO_UDP, UDP_SEGMENT, 1000), 0);
    EXPECT_EQ(s_.send(data), 2500);
    expect_each(taps_, segments);
    EXPECT_EQ(s_.send(data, MSG_DONTWAIT), 2500);
    expect_each(taps_, segments);
    EXPECT_EQ(s_.totals().sent, 9U) << "one for each member, however many datagrams it becomes";

    // The control message goes before the option
    EXPECT_EQ(Message(data).add(IPPROTO_UDP, UDP_SEGMENT, uint16_t{2000}).send(s_), 2500);
    expect_each(taps_, {data.substr(0, 2000), data.substr(2000)});
}

TEST_F(Compose, SegmentsOfAPrefixAndWhatIsShared)
{
    const std::string data = "000000111111222222" + pattern(15);
    EXPECT_EQ(Message(data)
                  .add(IPPROTO_UDP, UDP_GRP_PRIVATE, udp_grp_private{1, 6, 0})
                  .add(IPPROTO_UDP, UDP_SEGMENT, uint16_t{10})
                  .send(s_),
              33);
    for (size_t i = 0; i < taps_.size(); i++) {
        const std::string whole = data.substr(6 * i, 6) + pattern(15);
        for (size_t at = 0; at < whole.size(); at += 10) {
            auto got = taps_[i].next();
            ASSERT_TRUE(got);
            EXPECT_EQ(got->data, whole.substr(at, 10));
        }
        EXPECT_TRUE(taps_[i].empty());
    }
}

TEST_F(Compose, SegmentsThatAreWrong)
{
    EXPECT_EQ(Message("x").add(IPPROTO_UDP, UDP_SEGMENT, 1000).send(s_), -EINVAL) << "not 16 bits";
    expect_nothing_sent();
    // Too many segments are what a send to one would fail with
    EXPECT_EQ(Message(pattern(1000)).add(IPPROTO_UDP, UDP_SEGMENT, uint16_t{1}).send(s_), 1000);
    auto stat = s_.stat();
    EXPECT_EQ(stat.totals.failed, 3U);
    for (const auto &m : stat.members)
        EXPECT_EQ(m.error, EINVAL);
}

/* Notifications: what is in the error queue is the program's in the kernel, and
 * the library's where that makes the group.
 */

std::optional<sock_extended_err> queued(const Sender &s)
{
    alignas(cmsghdr) char control[512];
    msghdr msg{};
    msg.msg_control = control;
    msg.msg_controllen = sizeof(control);
    if (recvmsg(s.fd(), &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return std::nullopt;
    for (cmsghdr *c = CMSG_FIRSTHDR(&msg); c != nullptr; c = CMSG_NXTHDR(&msg, c)) {
        sock_extended_err err;
        if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR)
            continue;
        std::memcpy(&err, CMSG_DATA(c), sizeof(err));
        return err;
    }
    return std::nullopt;
}

TEST_F(Compose, ZeroCopyNotifiesOfEachMember)
{
    ASSERT_EQ(set_option(s_.fd(), SOL_SOCKET, SO_ZEROCOPY, 1), 0);
    ASSERT_EQ(s_.add(groupcast::ipv4("255.255.255.255", 9)), 0); // EACCES: nothing to notify of
    uint32_t id = 0;
    for (int i = 0; i < 200; i++) {
        const std::string data = pattern(i % 2 != 0 ? 100 : 20000);
        ASSERT_EQ(s_.send(data, MSG_ZEROCOPY), static_cast<ssize_t>(data.size()));
        expect_each(taps_, {data});
        if (!s_.in_kernel())
            continue; // which drains the queue as it sends
        for (const uint32_t end = id + 3; id < end;) {
            auto err = queued(s_);
            ASSERT_TRUE(err);
            ASSERT_EQ(err->ee_origin, SO_EE_ORIGIN_ZEROCOPY);
            ASSERT_EQ(err->ee_info, id);
            id = err->ee_data + 1;
        }
    }
    auto stat = s_.stat();
    EXPECT_EQ(stat.totals.sent, 600U);
    EXPECT_EQ(stat.totals.failed, 200U);
    EXPECT_EQ(stat.totals.icmp, 0U);
    EXPECT_NE(stat.members[3].error, 0); // EACCES, or without a route ENETUNREACH
    EXPECT_FALSE(queued(s_));
    EXPECT_EQ(get_option(s_.fd(), SOL_SOCKET, SO_ERROR), 0);
}

TEST_F(Compose, TimeStampsOfEachMember)
{
    const int report = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY;
    ASSERT_EQ(set_option(s_.fd(), SOL_SOCKET, SO_TIMESTAMPING, report), 0);
    const uint32_t record = SOF_TIMESTAMPING_TX_SOFTWARE;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(Message("one").add(SOL_SOCKET, SO_TIMESTAMPING, record).send(s_), 3);
        expect_each(taps_, {"one"});
        for (int n = 0; s_.in_kernel() && n < 3; n++) {
            auto err = queued(s_);
            ASSERT_TRUE(err);
            EXPECT_EQ(err->ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
        }
        EXPECT_EQ(s_.send("none"), 4);
        expect_each(taps_, {"none"});
    }
    EXPECT_EQ(s_.totals().sent, 18U);
    EXPECT_EQ(s_.totals().icmp, 0U);
    EXPECT_FALSE(queued(s_));
    const uint32_t unknown = SOF_TIMESTAMPING_SOFTWARE;
    EXPECT_EQ(Message("x").add(SOL_SOCKET, SO_TIMESTAMPING, unknown).send(s_), -EINVAL);
}

/* Control messages */

TEST_F(Compose, TtlAndTos)
{
    ASSERT_EQ(set_option(s_.fd(), IPPROTO_IP, IP_TOS, 0x08), 0);
    ASSERT_EQ(set_option(s_.fd(), IPPROTO_IP, IP_TTL, 33), 0);
    EXPECT_EQ(s_.send("option"), 6);
    EXPECT_EQ(Message("control").add(IPPROTO_IP, IP_TTL, 7).add(IPPROTO_IP, IP_TOS, 0x10).send(s_),
              7);
    for (const auto &tap : taps_) {
        auto option = tap.next();
        auto control = tap.next();
        ASSERT_TRUE(option && control);
        EXPECT_EQ(option->ttl, 33);
        EXPECT_EQ(option->tos, 0x08);
        EXPECT_EQ(control->ttl, 7);
        EXPECT_EQ(control->tos, 0x10);
    }
}

TEST_F(Compose, SourceAddress)
{
    in_pktinfo info{};
    info.ipi_spec_dst.s_addr = htonl(0x7f000005);
    EXPECT_EQ(Message("x").add(IPPROTO_IP, IP_PKTINFO, info).send(s_), 1);
    for (const auto &tap : taps_) {
        auto got = tap.next();
        ASSERT_TRUE(got);
        EXPECT_EQ(got->from.in().sin_addr.s_addr, info.ipi_spec_dst.s_addr);
    }
    // That it cannot be one is for each member's route to say
    for (uint32_t source : {0xc0000201U, 0xe0000001U}) {
        info.ipi_spec_dst.s_addr = htonl(source);
        EXPECT_EQ(Message("x").add(IPPROTO_IP, IP_PKTINFO, info).send(s_), 1);
    }
    EXPECT_EQ(s_.totals().failed, 6U);
}

// What is wrong is found before anything is done, also if nobody is to get it.
TEST_F(Compose, WrongControlMessages)
{
    EXPECT_EQ(Message("x").add(IPPROTO_IP, IP_TTL, 0).send(s_), -EINVAL);
    EXPECT_EQ(Message("x").add(IPPROTO_IP, IP_TOS, 256).send(s_), -EINVAL);
    EXPECT_EQ(Message("x")
                  .add(IPPROTO_UDP, UDP_GRP_RANGE, udp_grp_range{9, 0})
                  .add(SOL_SOCKET, SO_MARK, 'x')
                  .send(s_),
              -EINVAL);
    expect_nothing_sent();
}

TEST(ComposeIPv6, ControlMessagesAreForTheirFamily)
{
    std::vector<Tap> taps(1);
    taps.emplace_back(groupcast::ipv6("::1", 0));
    Sender s(ip::v6);
    ASSERT_EQ(s.set(addresses_of(taps)), 0);
    auto message = [](int hop_limit) {
        return Message("x")
            .add(IPPROTO_IPV6, IPV6_HOPLIMIT, hop_limit)
            .add(IPPROTO_IPV6, IPV6_TCLASS, 0x20)
            .add(IPPROTO_IP, IP_TTL, 7)
            .add(IPPROTO_IP, IP_TOS, 0x10);
    };
    EXPECT_EQ(message(5).send(s), 1);
    auto four = taps[0].next();
    auto six = taps[1].next();
    ASSERT_TRUE(four && six);
    EXPECT_EQ(four->ttl, 7);
    EXPECT_EQ(four->tos, 0x10);
    EXPECT_EQ(six->ttl, 5);
    EXPECT_EQ(six->tos, 0x20);

    // Wrong for one family, it is an error of that one's members
    EXPECT_EQ(message(256).send(s), 1);
    EXPECT_TRUE(taps[0].next());
    EXPECT_TRUE(taps[1].empty());
    EXPECT_EQ(Message("x").add(IPPROTO_IP, IP_TTL, 256).send(s), 1);
    EXPECT_TRUE(taps[0].empty());
    EXPECT_TRUE(taps[1].next());
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.failed, 2U);
    EXPECT_EQ(stat.members[0].error, EINVAL);
    EXPECT_EQ(stat.members[1].error, EINVAL);

    // and for both, the send's
    EXPECT_EQ(message(256).add(IPPROTO_IP, IP_TTL, 256).send(s), -EINVAL);
    EXPECT_EQ(message(5).add(IPPROTO_UDP, UDP_SEGMENT, 1).send(s), -EINVAL);
    EXPECT_EQ(s.totals().sends, 3U);
    EXPECT_TRUE(taps[0].empty());
    EXPECT_TRUE(taps[1].empty());
}

/* SO_MARK */

TEST_F(Compose, MarkOfEachMember)
{
    EXPECT_EQ(Message("x").add(SOL_SOCKET, SO_MARK, 77).send(s_), 1);
    ASSERT_EQ(set_option(s_.fd(), SOL_SOCKET, SO_MARK, 78), 0);
    EXPECT_EQ(s_.send("x"), 1);
    for (const auto &tap : taps_)
        for (int mark : {77, 78}) {
            auto got = tap.next();
            ASSERT_TRUE(got);
            EXPECT_EQ(got->mark, mark);
        }
}

// The capabilities are the thread's.
void mark_without_the_right_to()
{
    std::vector<Tap> taps(2);
    Sender s;
    ASSERT_EQ(s.set(addresses_of(taps)), 0);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2] = {};
    ASSERT_EQ(syscall(SYS_capset, &header, none), 0);
    EXPECT_EQ(Message("x").add(SOL_SOCKET, SO_MARK, 77).send(s), -EPERM);
    EXPECT_EQ(s.totals().sends, 0U);
    EXPECT_TRUE(taps[0].empty());
    EXPECT_EQ(s.send("x"), 1);
    expect_each(taps, {"x"});
}

TEST(ComposeMark, NeedsTheRightTo) { in_thread(mark_without_the_right_to); }

/* Multicast */

TEST(ComposeMulticast, MemberIsAGroupOfOthers)
{
    std::vector<Tap> taps;
    taps.emplace_back(groupcast::ipv4("239.7.8.9", 0));
    taps.emplace_back(taps[0].addr()); // the same port
    for (const auto &tap : taps) {
        ip_mreqn join{};
        join.imr_multiaddr = taps[0].addr().in().sin_addr;
        join.imr_address.s_addr = htonl(INADDR_LOOPBACK);
        ASSERT_EQ(setsockopt(tap.fd(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)), 0);
    }
    taps.emplace_back(); // and one by itself
    Sender s;
    in_addr device{htonl(INADDR_LOOPBACK)};
    ASSERT_EQ(setsockopt(s.fd(), IPPROTO_IP, IP_MULTICAST_IF, &device, sizeof(device)), 0);
    ASSERT_EQ(set_option(s.fd(), IPPROTO_IP, IP_MULTICAST_TTL, 5), 0);
    ASSERT_EQ(s.set({taps[0].addr(), taps[2].addr()}), 0);
    EXPECT_EQ(s.send("data"), 4);
    for (size_t i = 0; i < taps.size(); i++) {
        auto got = taps[i].next();
        ASSERT_TRUE(got) << i;
        EXPECT_EQ(got->data, "data");
        EXPECT_EQ(got->ttl, i < 2 ? 5 : 64);
    }
    EXPECT_EQ(s.totals().sent, 2U) << "what is on the way multiplied is not seen";
}

/* Spread over time */

void depart_in_turns()
{
    constexpr size_t n = 4;
    constexpr std::chrono::milliseconds spread{200};
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    ASSERT_EQ(std::system("ip link set lo up"), 0);
    // Where there is no such discipline times have no effect
    const bool is_kept = std::system("tc qdisc add dev lo root fq 2>/dev/null") == 0;
    std::vector<Tap> taps(n);
    Sender s;
    sock_txtime txtime{};
    txtime.clockid = CLOCK_MONOTONIC;
    ASSERT_EQ(setsockopt(s.fd(), SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)), 0);
    ASSERT_EQ(s.set(addresses_of(taps)), 0);
    timespec begin{};
    clock_gettime(CLOCK_REALTIME, &begin);
    EXPECT_EQ(s.send_with("data", {.spread = spread}), 4);
    for (size_t i = 0; i < n; i++) {
        auto got = taps[i].next();
        ASSERT_TRUE(got) << i;
        // Two clocks: a millisecond for what one is corrected by meanwhile
        const auto earliest =
            static_cast<int64_t>(i) * std::chrono::nanoseconds(spread).count() / int64_t{n};
        if (is_kept) {
            EXPECT_GE(got->time - nanoseconds(begin), earliest - 1000000) << i;
        }
    }
}

TEST(ComposeSpread, EachDepartsInItsTurn) { in_thread(depart_in_turns); }

} // namespace
} // namespace library_test
