// SPDX-License-Identifier: GPL-2.0-only
// What exists composes: flags, control messages, socket options and other ways
// into sendmsg() do for each member what they do for a sendto(). What cannot
// compose is refused, and nothing is sent.

#include "support.hpp"

#include <linux/errqueue.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include <functional>
#include <liburing.h>
#include <regex>

namespace selftest {
namespace {

class Compose : public InNamespace {};

// Control messages, one after the other.
class Control {
public:
    template <typename T> Control &add(int level, int type, const T &value)
    {
        return add_raw(level, type, &value, sizeof(value));
    }
    Control &add_raw(int level, int type, const void *value, size_t len)
    {
        size_t at = bytes_.size();
        bytes_.resize(at + CMSG_SPACE(len));
        auto c = reinterpret_cast<cmsghdr *>(bytes_.data() + at);
        c->cmsg_level = level;
        c->cmsg_type = type;
        c->cmsg_len = CMSG_LEN(len);
        memcpy(CMSG_DATA(c), value, len);
        return *this;
    }
    // Has the one that begins there claim to be this long.
    Control &claim(size_t at, size_t len)
    {
        reinterpret_cast<cmsghdr *>(bytes_.data() + at)->cmsg_len = len;
        return *this;
    }
    void *data() { return bytes_.data(); }
    size_t size() const { return bytes_.size(); }

private:
    std::vector<char> bytes_;
};

// A message for sendmsg(), sendmmsg() and io_uring; stays where it is.
class Message {
public:
    explicit Message(std::string data, Control control = {},
                     std::optional<sockaddr_in> dest = std::nullopt)
        : data_(std::move(data)), control_(std::move(control)),
          dest_(dest), iov_{data_.data(), data_.size()}
    {
        msg_.msg_iov = &iov_;
        msg_.msg_iovlen = 1;
        if (control_.size()) {
            msg_.msg_control = control_.data();
            msg_.msg_controllen = control_.size();
        }
        if (dest_) {
            msg_.msg_name = &*dest_;
            msg_.msg_namelen = sizeof(*dest_);
        }
    }
    Message(const Message &) = delete;
    Message &operator=(const Message &) = delete;
    const msghdr &header() const { return msg_; }
    long send(const Sender &s, int flags = 0) const
    {
        return result(sendmsg(s.fd(), &msg_, flags));
    }

private:
    std::string data_;
    Control control_;
    std::optional<sockaddr_in> dest_;
    iovec iov_;
    msghdr msg_{};
};

// A datagram and what a receiver can see of its header.
struct Datagram {
    std::string data;
    int ttl, tos;
    std::string from;
    bool operator==(const Datagram &) const = default;
};

std::ostream &operator<<(std::ostream &out, const Datagram &d)
{
    return out << d.data.size() << " bytes, ttl " << d.ttl << ", tos " << d.tos << ", from "
               << d.from;
}

Datagram receive(const Receiver &r)
{
    std::string buf(65536, '\0');
    alignas(cmsghdr) char control[256];
    sockaddr_in from{};
    iovec iov{buf.data(), buf.size()};
    msghdr msg{};
    msg.msg_name = &from;
    msg.msg_namelen = sizeof(from);
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control;
    msg.msg_controllen = sizeof(control);
    int on = 1;
    setsockopt(r.fd(), SOL_IP, IP_RECVTTL, &on, sizeof(on));
    setsockopt(r.fd(), SOL_IP, IP_RECVTOS, &on, sizeof(on));
    ssize_t n = recvmsg(r.fd(), &msg, 0);
    if (n < 0)
        throw std::runtime_error(strerror(errno));
    Datagram d{buf.substr(0, static_cast<size_t>(n)), -1, -1, inet_ntoa(from.sin_addr)};
    for (cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_TTL)
            memcpy(&d.ttl, CMSG_DATA(c), sizeof(d.ttl));
        if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_TOS)
            d.tos = *CMSG_DATA(c);
    }
    return d;
}

void expect_each(std::vector<Receiver> &rs, std::string_view data)
{
    for (auto &r : rs)
        EXPECT_EQ(r.next(), data);
}

void expect_none(std::vector<Receiver> &rs)
{
    for (auto &r : rs)
        EXPECT_TRUE(r.empty());
}

// Bytes of which no two stretches are alike.
std::string pattern(size_t n)
{
    std::string bytes(n, '\0');
    uint32_t x = 1;
    for (auto &b : bytes) {
        x = x * 1664525 + 1013904223;
        b = static_cast<char>(x >> 24);
    }
    return bytes;
}

// Two devices without a peer: 10.8/16 is routed to d8, 10.9/16 to d9.
void devices()
{
    for (std::string n : {"8", "9"})
        run("ip link add d" + n + " type dummy && ip addr add 10." + n + ".0.1/16 dev d" + n +
            " && ip link set d" + n + " up");
}

// The IPv4 packets that leave through a device, from their IP header on.
class Capture {
public:
    explicit Capture(const std::string &device)
        : fd_(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL)))
    {
        sockaddr_ll sll{};
        sll.sll_family = AF_PACKET;
        sll.sll_protocol = htons(ETH_P_ALL);
        sll.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
        if (bind(fd_.get(), reinterpret_cast<sockaddr *>(&sll), sizeof(sll)) < 0)
            throw std::runtime_error(device);
        take();
    }
    std::vector<std::string> take()
    {
        std::vector<std::string> packets;
        std::string buf(70000, '\0');
        for (;;) {
            sockaddr_ll sll{};
            socklen_t len = sizeof(sll);
            ssize_t n = recvfrom(fd_.get(), buf.data(), buf.size(), MSG_DONTWAIT,
                                 reinterpret_cast<sockaddr *>(&sll), &len);
            if (n < 0)
                return packets;
            if (sll.sll_pkttype == PACKET_OUTGOING && sll.sll_protocol == htons(ETH_P_IP))
                packets.push_back(buf.substr(0, static_cast<size_t>(n)));
        }
    }

private:
    Fd fd_;
};

TEST_F(Compose, ControlMessagesGoWithEachDatagram)
{
    in_pktinfo source{};
    source.ipi_spec_dst = address("127.0.0.9", 0).sin_addr;
    struct {
        const char *name;
        Control control;
        int ttl, tos;
        const char *from;
    } cases[] = {
        {"none", Control(), 64, 0, "127.0.0.1"},
        {"IP_TTL", Control().add(SOL_IP, IP_TTL, 7), 7, 0, "127.0.0.1"},
        {"IP_TOS", Control().add(SOL_IP, IP_TOS, 0x10), 64, 0x10, "127.0.0.1"},
        {"IP_PKTINFO", Control().add(SOL_IP, IP_PKTINFO, source), 64, 0, "127.0.0.9"},
        {"all",
         Control().add(SOL_IP, IP_TTL, 9).add(SOL_IP, IP_TOS, 0x08).add(SOL_IP, IP_PKTINFO, source),
         9, 0x08, "127.0.0.9"},
    };
    std::vector<Receiver> rs(3);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    for (auto &r : rs) { // so that the first has the header's fields as well
        int on = 1;
        setsockopt(r.fd(), SOL_IP, IP_RECVTTL, &on, sizeof(on));
        setsockopt(r.fd(), SOL_IP, IP_RECVTOS, &on, sizeof(on));
    }
    for (auto &c : cases) {
        SCOPED_TRACE(c.name);
        Datagram expected{"data", c.ttl, c.tos, c.from};
        for (auto &r : rs) {
            EXPECT_EQ(Message("data", c.control, r.address()).send(s), 4);
            EXPECT_EQ(receive(r), expected);
        }
        EXPECT_EQ(Message("data", c.control).send(s), 4);
        for (auto &r : rs)
            EXPECT_EQ(receive(r), expected);
        expect_none(rs);
    }
}

TEST_F(Compose, BadControlMessagesAreRefused)
{
    char byte = 1;
    struct {
        const char *name;
        Control control;
    } cases[] = {
        {"unknown SOL_IP", Control().add(SOL_IP, 0x7777, 1)},
        {"unknown SOL_UDP", Control().add(SOL_UDP, 0x4711, 1)},
        {"unknown SOL_SOCKET", Control().add(SOL_SOCKET, 0x7777, 1)},
        {"IP_TTL too short", Control().add(SOL_IP, IP_TTL, byte)},
        {"IP_TTL 0", Control().add(SOL_IP, IP_TTL, 0)},
        {"IP_TTL 256", Control().add(SOL_IP, IP_TTL, 256)},
        {"IP_TOS 256", Control().add(SOL_IP, IP_TOS, 256)},
        {"IP_PKTINFO too short", Control().add(SOL_IP, IP_PKTINFO, 1)},
        {"UDP_SEGMENT too short", Control().add(SOL_UDP, UDP_SEGMENT, byte)},
        {"UDP_SEGMENT too long", Control().add(SOL_UDP, UDP_SEGMENT, 1)},
        {"SO_MARK too short", Control().add(SOL_SOCKET, SO_MARK, byte)},
        {"SCM_TXTIME not enabled", Control().add(SOL_SOCKET, SCM_TXTIME, uint64_t{1})},
        {"shorter than its header", Control().add(SOL_IP, IP_TTL, 1).claim(0, 8)},
        {"longer than the buffer", Control().add(SOL_IP, IP_TTL, 1).claim(0, 4096)},
        {"behind a good one",
         Control().add(SOL_IP, IP_TTL, 1).add(SOL_IP, IP_TOS, 8).add(SOL_IP, 0x7777, 1)},
    };
    std::vector<Receiver> rs(2);
    auto addrs = addresses(rs);
    addrs.push_back(address("10.77.0.1", 9)); // would fail
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    for (auto &c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(Message("data", c.control, addrs[0]).send(s), -EINVAL);
        auto before = s.stat().totals;
        auto ip = snmp("Ip"), udp = snmp("Udp");
        EXPECT_EQ(Message("data", c.control).send(s), -EINVAL);
        auto after = s.stat();
        EXPECT_EQ(memcmp(&after.totals, &before, sizeof(before)), 0);
        for (const auto &m : after.members)
            EXPECT_EQ(m.error, 0);
        EXPECT_EQ(snmp("Ip"), ip);
        EXPECT_EQ(snmp("Udp"), udp);
        expect_none(rs);
    }
}

TEST_F(Compose, EachMessageOfManyGoesToTheWholeGroup)
{
    std::vector<Receiver> rs(3);
    Receiver other;
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    auto send_many = [&](std::initializer_list<const Message *> messages) {
        std::vector<mmsghdr> vec;
        for (auto m : messages)
            vec.push_back({.msg_hdr = m->header(), .msg_len = 99});
        EXPECT_EQ(result(sendmmsg(s.fd(), vec.data(), static_cast<unsigned>(vec.size()), 0)),
                  static_cast<long>(vec.size()));
        for (const auto &m : vec)
            EXPECT_EQ(m.msg_len, m.msg_hdr.msg_iov->iov_len);
    };
    Message one("1"), two("two", Control().add(SOL_IP, IP_TTL, 5)), none("");
    Message there("there", {}, other.address()), member("member", {}, rs[1].address());

    send_many({&one, &two, &none});
    for (auto &r : rs) {
        EXPECT_EQ(r.next(), "1");
        EXPECT_EQ(receive(r).data, "two");
        EXPECT_EQ(r.next(), "");
    }
    EXPECT_EQ(s.stat().totals.sends, 3u);

    send_many({&there, &one, &there, &member, &two, &member});
    EXPECT_EQ(other.next(), "there");
    EXPECT_EQ(other.next(), "there");
    EXPECT_TRUE(other.empty());
    for (auto &r : rs) {
        EXPECT_EQ(r.next(), "1");
        if (&r == &rs[1]) {
            EXPECT_EQ(r.next(), "member");
        }
        EXPECT_EQ(r.next(), "two");
        if (&r == &rs[1]) {
            EXPECT_EQ(r.next(), "member");
        }
    }
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.sends, 5u);
    EXPECT_EQ(s.stat().totals.sent, 15u);
}

class Ring {
public:
    Ring()
    {
        int err = io_uring_queue_init(8, &ring_, 0);
        if (err < 0)
            throw std::runtime_error(std::string("io_uring: ") + strerror(-err));
    }
    ~Ring() { io_uring_queue_exit(&ring_); }
    Ring(const Ring &) = delete;
    Ring &operator=(const Ring &) = delete;
    // One operation's outcome. Its data may be changed when this returns.
    long complete(const std::function<void(io_uring_sqe *)> &prepare)
    {
        prepare(io_uring_get_sqe(&ring_));
        io_uring_submit(&ring_);
        auto [res, more] = next();
        while (more)
            more = next().second;
        return res;
    }

private:
    std::pair<long, bool> next()
    {
        io_uring_cqe *cqe;
        __kernel_timespec timeout{.tv_sec = 10, .tv_nsec = 0};
        int err = io_uring_wait_cqe_timeout(&ring_, &cqe, &timeout);
        if (err < 0)
            throw std::runtime_error(std::string("io_uring: ") + strerror(-err));
        std::pair outcome{static_cast<long>(cqe->res), (cqe->flags & IORING_CQE_F_MORE) != 0};
        io_uring_cqe_seen(&ring_, cqe);
        return outcome;
    }
    io_uring ring_;
};

uint64_t monotonic()
{
    timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return static_cast<uint64_t>(ts.tv_sec) * 1000000000 + static_cast<uint64_t>(ts.tv_nsec);
}

// Has loopback hold a datagram until its time, which a control message tells;
// until then it is charged to its socket.
void hold_datagrams(const Sender &s)
{
    run("tc qdisc add dev lo root fq");
    sock_txtime txtime{.clockid = CLOCK_MONOTONIC, .flags = 0};
    if (setsockopt(s.fd(), SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)) < 0)
        throw std::runtime_error("SO_TXTIME");
}

Control leave_at(uint64_t time) { return Control().add(SOL_SOCKET, SCM_TXTIME, time); }

TEST_F(Compose, IoUringReachesEveryone)
{
    std::vector<Receiver> rs(4);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    Ring ring;
    const std::string data = pattern(3000);
    const long length = 3000;
    Message message(data, Control().add(SOL_IP, IP_TTL, 11));
    struct {
        const char *name;
        std::function<void(io_uring_sqe *)> prepare;
    } operations[] = {
        {"send", [&](auto sqe) { io_uring_prep_send(sqe, s.fd(), data.data(), data.size(), 0); }},
        {"sendmsg", [&](auto sqe) { io_uring_prep_sendmsg(sqe, s.fd(), &message.header(), 0); }},
        {"send_zc",
         [&](auto sqe) { io_uring_prep_send_zc(sqe, s.fd(), data.data(), data.size(), 0, 0); }},
        {"sendmsg_zc",
         [&](auto sqe) { io_uring_prep_sendmsg_zc(sqe, s.fd(), &message.header(), 0); }},
    };
    uint64_t sends = 0;
    for (const auto &op : operations) {
        for (unsigned flags : {0u, static_cast<unsigned>(IOSQE_ASYNC)}) {
            SCOPED_TRACE(std::string(op.name) + (flags ? ", by a worker" : ""));
            // what is zero-copied is held until the receivers have it
            EXPECT_EQ(ring.complete([&](io_uring_sqe *sqe) {
                op.prepare(sqe);
                io_uring_sqe_set_flags(sqe, flags);
            }),
                      length);
            expect_each(rs, data);
            expect_none(rs);
            auto stat = s.stat();
            EXPECT_EQ(stat.totals.sends, ++sends);
            EXPECT_EQ(stat.totals.sent, 4 * sends);
        }
    }
}

// The first attempt does not wait and finds no room. io_uring tries again when
// there is some, and nobody gets the datagram twice.
TEST_F(Compose, IoUringGoesOnWhenThereIsRoom)
{
    std::vector<Receiver> rs(8);
    Sender s;
    hold_datagrams(s);
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(addresses(rs)), 0);
    const std::string first = pattern(1000), second(900, '2');
    Ring ring;
    auto submit = [&](int flags) {
        return ring.complete([&](io_uring_sqe *sqe) {
            io_uring_prep_send(sqe, s.fd(), second.data(), second.size(), flags);
        });
    };
    uint64_t departure = monotonic() + 700000000;
    ASSERT_EQ(Message(first, leave_at(departure)).send(s, MSG_DONTWAIT), 1000);
    ASSERT_EQ(s.stat().totals.sent, 8u);
    ASSERT_EQ(s.send(second, MSG_DONTWAIT), -EAGAIN);
    EXPECT_EQ(submit(MSG_DONTWAIT), -EAGAIN); // if it may not wait, it does not
    EXPECT_LT(monotonic(), departure);
    EXPECT_EQ(submit(0), 900);
    EXPECT_GE(monotonic(), departure);
    expect_each(rs, first);
    expect_each(rs, second);
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.sends, 2u);
    EXPECT_EQ(s.stat().totals.sent, 16u);
}

TEST_F(Compose, EachMemberReceivesTheSegments)
{
    std::vector<Receiver> rs(3);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    const std::string data = pattern(2500);
    auto expect_segments = [&] {
        for (auto &r : rs) {
            EXPECT_EQ(r.next(), data.substr(0, 1000));
            EXPECT_EQ(r.next(), data.substr(1000, 1000));
            EXPECT_EQ(r.next(), data.substr(2000));
        }
        expect_none(rs);
    };
    EXPECT_EQ(Message(data, Control().add(SOL_UDP, UDP_SEGMENT, uint16_t{1000})).send(s), 2500);
    expect_segments();
    ASSERT_EQ(s.option(SOL_UDP, UDP_SEGMENT, 1000), 0);
    EXPECT_EQ(s.send(data), 2500);
    expect_segments();
    // one record is one message to the member
    EXPECT_EQ(s.stat().totals.sent, 6u);
    ASSERT_EQ(s.option(SOL_UDP, UDP_SEGMENT, 0), 0);
    EXPECT_EQ(s.send(data), 2500);
    expect_each(rs, data);
}

struct Notification {
    sock_extended_err err;
    sockaddr_in who;
};

// The next entry of the error queue; waits for it.
std::optional<Notification> notification(const Sender &s)
{
    pollfd p{.fd = s.fd(), .events = 0, .revents = 0};
    if (poll(&p, 1, 1000) != 1)
        return std::nullopt;
    Notification n{};
    alignas(cmsghdr) char control[1024];
    char data[128];
    iovec iov{data, sizeof(data)};
    msghdr msg{};
    msg.msg_name = &n.who;
    msg.msg_namelen = sizeof(n.who);
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control;
    msg.msg_controllen = sizeof(control);
    if (recvmsg(s.fd(), &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return std::nullopt;
    for (cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
        if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR)
            memcpy(&n.err, CMSG_DATA(c), sizeof(n.err));
    return n;
}

TEST_F(Compose, ZeroCopyNotifiesOfEachDatagram)
{
    std::vector<Receiver> rs(3);
    auto addrs = addresses(rs);
    addrs.insert(addrs.begin() + 1, address("10.77.0.1", 9)); // nothing to notify of
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_ZEROCOPY, 1), 0);
    ASSERT_EQ(s.set(addrs), 0);
    uint32_t id = 0;
    for (size_t size : {100, 20000, 60000}) {
        SCOPED_TRACE(size);
        const std::string data = pattern(size);
        EXPECT_EQ(s.send(data, MSG_ZEROCOPY), static_cast<long>(size));
        expect_each(rs, data);
        expect_none(rs);
        for (uint32_t last = id + 3; id < last;) {
            auto n = notification(s);
            ASSERT_TRUE(n) << "at " << id;
            EXPECT_EQ(n->err.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
            EXPECT_EQ(n->err.ee_errno, 0u);
            EXPECT_EQ(n->err.ee_info, id);
            ASSERT_LT(n->err.ee_data, last);
            id = n->err.ee_data + 1;
        }
    }
    EXPECT_EQ(s.stat().totals.sent, 9u);
    EXPECT_EQ(s.stat().members[1].error, ENETUNREACH);
    EXPECT_EQ(s.error(), 0);
}

TEST_F(Compose, TimestampsOfEachDatagram)
{
    std::vector<Receiver> rs(3);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    ASSERT_EQ(s.option(SOL_SOCKET, SO_TIMESTAMPING,
                       SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
                           SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY),
              0);
    for (uint32_t i = 0; i < 6; i++) {
        if (i % 3 == 0) {
            EXPECT_EQ(s.send("x"), 1);
        }
        auto n = notification(s);
        ASSERT_TRUE(n);
        EXPECT_EQ(n->err.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
        EXPECT_EQ(n->err.ee_info, static_cast<uint32_t>(SCM_TSTAMP_SND));
        EXPECT_EQ(n->err.ee_data, i);
    }
}

TEST_F(Compose, EachDatagramLeavesAtItsTime)
{
    std::vector<Receiver> rs(3);
    Sender s;
    hold_datagrams(s);
    ASSERT_EQ(s.set(addresses(rs)), 0);
    uint64_t departure = monotonic() + 300000000;
    EXPECT_EQ(Message("x", leave_at(departure)).send(s), 1);
    for (auto &r : rs) {
        EXPECT_EQ(r.next(), "x");
        EXPECT_GE(monotonic(), departure);
    }
}

TEST_F(Compose, FlagsGoWithEachDatagram)
{
    std::vector<Receiver> rs(3);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    for (int flags : {0, int{MSG_DONTWAIT}, int{MSG_NOSIGNAL}, int{MSG_CONFIRM}, int{MSG_DONTROUTE},
                      int{MSG_EOR}, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CONFIRM}) {
        SCOPED_TRACE(flags);
        EXPECT_EQ(s.send_to("one", rs[0].address(), flags), 3);
        EXPECT_EQ(rs[0].next(), "one");
        EXPECT_EQ(s.send("data", flags), 4);
        expect_each(rs, "data");
        expect_none(rs);
    }
}

// What takes part in the choice of a route, changed between two sends.
TEST_F(Compose, RoutingOptionsHoldFromTheNextSend)
{
    devices();
    run("ip rule add fwmark 7 lookup 7 && ip rule add tos 0x10 lookup 7 && "
        "ip route add default dev d8 table 7");
    Capture d8("d8"), d9("d9");
    auto addrs = many(0x0a090002, 3);
    const std::string name = "d8", no_name;
    int index = static_cast<int>(htonl(if_nametoindex("d8"))), no_index = 0;
    int mark = 7, no_mark = 0, tos = 0x10, no_tos = 0;
    struct {
        const char *what;
        int level, option;
        const void *on, *off;
        socklen_t on_len, off_len;
    } options[] = {
        {"SO_MARK", SOL_SOCKET, SO_MARK, &mark, &no_mark, sizeof(mark), sizeof(mark)},
        {"SO_BINDTODEVICE", SOL_SOCKET, SO_BINDTODEVICE, name.data(), no_name.data(), 3, 0},
        {"IP_UNICAST_IF", SOL_IP, IP_UNICAST_IF, &index, &no_index, sizeof(index), sizeof(index)},
        {"IP_TOS", SOL_IP, IP_TOS, &tos, &no_tos, sizeof(tos), sizeof(tos)},
    };
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    for (const auto &o : options) {
        SCOPED_TRACE(o.what);
        for (bool on : {false, true, false}) {
            ASSERT_EQ(
                setsockopt(s.fd(), o.level, o.option, on ? o.on : o.off, on ? o.on_len : o.off_len),
                0)
                << strerror(errno);
            EXPECT_EQ(s.send_to("x", addrs[0]), 1);
            EXPECT_EQ(d8.take().size(), on ? 1u : 0u);
            EXPECT_EQ(d9.take().size(), on ? 0u : 1u);
            EXPECT_EQ(s.send("x"), 1);
            EXPECT_EQ(d8.take().size(), on ? 3u : 0u);
            EXPECT_EQ(d9.take().size(), on ? 0u : 3u);
        }
    }
    EXPECT_EQ(Message("x", Control().add(SOL_SOCKET, SO_MARK, 7)).send(s), 1);
    EXPECT_EQ(d8.take().size(), 3u);
    EXPECT_EQ(Message("x").send(s), 1);
    EXPECT_EQ(d9.take().size(), 3u);
}

TEST_F(Compose, ADatagramTooLongForOnePath)
{
    devices();
    std::vector<Receiver> rs(2);
    auto addrs = addresses(rs);
    addrs.insert(addrs.begin(), address("10.9.0.2", 9));
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    ASSERT_EQ(s.option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
    const std::string data = pattern(4000);
    EXPECT_EQ(s.send_to(data, addrs[0]), -EMSGSIZE);
    EXPECT_EQ(s.send(data), 4000);
    expect_each(rs, data);
    auto stat = s.stat();
    EXPECT_EQ(stat.members[0].failed, 1u);
    EXPECT_EQ(stat.members[0].error, EMSGSIZE);
    EXPECT_EQ(stat.totals.sent, 2u);
    EXPECT_EQ(s.error(), 0);

    // the error queue tells of it as for sendto(), where the IP layer gives the
    // MTU and no port; and of a member once more, with its port
    ASSERT_EQ(s.option(SOL_IP, IP_RECVERR, 1), 0);
    for (bool group : {false, true}) {
        EXPECT_EQ(group ? s.send(data) : s.send_to(data, addrs[0]), group ? 4000 : -EMSGSIZE);
        auto n = notification(s);
        ASSERT_TRUE(n);
        EXPECT_EQ(n->err.ee_origin, SO_EE_ORIGIN_LOCAL);
        EXPECT_EQ(n->err.ee_errno, static_cast<unsigned>(EMSGSIZE));
        EXPECT_EQ(n->err.ee_info, 1500u);
        EXPECT_EQ(n->who, address("10.9.0.2", 0));
        if (group) {
            n = notification(s);
            ASSERT_TRUE(n);
            EXPECT_EQ(n->err.ee_errno, static_cast<unsigned>(EMSGSIZE));
            EXPECT_EQ(n->err.ee_info, 0u);
            EXPECT_EQ(n->who, addrs[0]);
        }
        EXPECT_LT(recv(s.fd(), nullptr, 0, MSG_ERRQUEUE | MSG_DONTWAIT), 0);
    }
    expect_each(rs, data);

    // nothing is too long that may be fragmented
    ASSERT_EQ(s.option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT), 0);
    EXPECT_EQ(s.send(data), 4000);
    expect_each(rs, data);
    EXPECT_EQ(s.stat().members[0].sent, 1u);
}

TEST_F(Compose, FragmentsArriveIntact)
{
    NetNs peer;
    ns.enter();
    run("ip link add near mtu 600 type veth peer name far mtu 600 netns /proc/" +
        std::to_string(getpid()) + "/fd/" + std::to_string(peer.fd()) +
        " && ip addr add 10.1.0.1/24 dev near && ip link set near up");
    peer.enter();
    run("ip addr add 10.1.0.2/24 dev far && ip addr add 10.1.0.3/24 dev far && "
        "ip link set far up");
    std::vector<Receiver> rs;
    for (auto ip : {"10.1.0.2", "10.1.0.2", "10.1.0.3", "10.1.0.3"})
        rs.emplace_back(ip);
    ns.enter();
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    for (size_t size : {572, 573, 5000, 20000}) {
        SCOPED_TRACE(size);
        const std::string data = pattern(size);
        EXPECT_EQ(s.send(data), static_cast<long>(size));
        expect_each(rs, data);
    }
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.sent, 16u);
    ns.leave();
}

TEST_F(Compose, SplicedPagesReachEveryone)
{
    std::vector<Receiver> rs(3);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    const std::string data = pattern(4096);
    auto page = static_cast<char *>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memcpy(page, data.data(), 4096);
    iovec iov{page, 4096};
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    Fd out(ends[0]), in(ends[1]);

    ASSERT_EQ(vmsplice(in.get(), &iov, 1, 0), 4096);
    EXPECT_EQ(result(splice(out.get(), nullptr, s.fd(), nullptr, 4096, 0)), 4096);
    expect_each(rs, data);
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.sends, 1u);

    // with more to come it would be one datagram in the making
    ASSERT_EQ(vmsplice(in.get(), &iov, 1, 0), 4096);
    ASSERT_EQ(result(splice(out.get(), nullptr, s.fd(), nullptr, 4096, SPLICE_F_MORE)),
              -EOPNOTSUPP);
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.sends, 1u);
    // which is then still in the pipe
    EXPECT_EQ(result(splice(out.get(), nullptr, s.fd(), nullptr, 4096, 0)), 4096);
    expect_each(rs, data);

    char path[] = "/tmp/compose_test.XXXXXX";
    Fd file(mkstemp(path));
    unlink(path);
    for (size_t size : {4096, 3000}) {
        ASSERT_EQ(ftruncate(file.get(), 0), 0);
        ASSERT_EQ(pwrite(file.get(), data.data(), size, 0), static_cast<ssize_t>(size));
        off_t offset = 0;
        EXPECT_EQ(result(sendfile(s.fd(), file.get(), &offset, size)), static_cast<long>(size));
        expect_each(rs, data.substr(0, size));
        expect_none(rs);
    }
    munmap(page, 4096);
}

TEST_F(Compose, CorkingIsRefused)
{
    std::vector<Receiver> rs(2);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    auto refused = [&](int flags) {
        auto before = s.stat().totals;
        auto udp = snmp("Udp");
        EXPECT_EQ(s.send("data", flags), -EOPNOTSUPP);
        auto after = s.stat().totals;
        EXPECT_EQ(memcmp(&after, &before, sizeof(before)), 0);
        EXPECT_EQ(snmp("Udp"), udp);
        expect_none(rs);
    };
    refused(MSG_MORE);
    refused(MSG_OOB);
    ASSERT_EQ(s.option(SOL_UDP, UDP_CORK, 1), 0);
    refused(0);
    ASSERT_EQ(s.option(SOL_UDP, UDP_CORK, 0), 0);
    EXPECT_EQ(s.send("data"), 4);
    expect_each(rs, "data");
}

TEST_F(Compose, ADatagramInTheMakingComesFirst)
{
    std::vector<Receiver> rs(2);
    Receiver other;
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    ASSERT_EQ(s.send_to("a", other.address(), MSG_MORE), 1);
    EXPECT_EQ(s.send("b", MSG_MORE), 1);
    EXPECT_TRUE(other.empty());
    EXPECT_EQ(s.send("c"), 1);
    EXPECT_EQ(other.next(), "abc");
    expect_none(rs);
    EXPECT_EQ(s.stat().totals.sends, 0u);

    // corked for a destination of its own, and then released
    ASSERT_EQ(s.option(SOL_UDP, UDP_CORK, 1), 0);
    EXPECT_EQ(s.send_to("d", other.address()), 1);
    EXPECT_EQ(s.send("e"), 1);
    ASSERT_EQ(s.option(SOL_UDP, UDP_CORK, 0), 0);
    EXPECT_EQ(other.next(), "de");
    expect_none(rs);

    EXPECT_EQ(s.send("group"), 5);
    expect_each(rs, "group");
    EXPECT_TRUE(other.empty());
}

// Without what may differ between two datagrams that are alike: the IP
// identification, and the checksum over it.
std::vector<std::string> comparable(std::vector<std::string> packets)
{
    std::string before;
    for (auto &p : packets) {
        auto at = [&p](size_t i) { return static_cast<uint8_t>(p.at(i)); };
        bool first = !(at(6) & 0x1f) && !at(7);
        std::string id = p.substr(4, 2);
        if (!first) {
            EXPECT_EQ(id, before) << "fragments of two datagrams";
        }
        before = id;
        p.replace(4, 2, 2, '\0');
        p.replace(10, 2, 2, '\0');
    }
    return packets;
}

void offload(const std::string &device, bool on)
{
    Fd fd(socket(AF_INET, SOCK_DGRAM, 0));
    for (uint32_t what : {ETHTOOL_STXCSUM, ETHTOOL_SSG, ETHTOOL_SGSO}) {
        ethtool_value value{.cmd = what, .data = on};
        ifreq ifr{};
        device.copy(ifr.ifr_name, IFNAMSIZ - 1);
        ifr.ifr_data = reinterpret_cast<char *>(&value);
        if (ioctl(fd.get(), SIOCETHTOOL, &ifr) < 0)
            throw std::runtime_error(device + ": " + strerror(errno));
    }
}

// The law of equivalence: what leaves the host for a member is what a sendto()
// would have sent, to the bit.
TEST_F(Compose, TheWireSeesNoDifference)
{
    devices();
    Capture wire("d9");
    auto addrs = many(0x0a090002, 3);
    const std::string record_route("\x01\x07\x0b\x04\0\0\0\0\0\0\0\0", 12);
    struct {
        const char *name;
        std::function<long(const Sender &)> set;
    } options[] = {
        {"plain", [](const Sender &) { return 0L; }},
        {"IP_TTL", [](const Sender &s) { return s.option(SOL_IP, IP_TTL, 3); }},
        {"IP_TOS", [](const Sender &s) { return s.option(SOL_IP, IP_TOS, 0xb8); }},
        {"IP_PMTUDISC_DO",
         [](const Sender &s) { return s.option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO); }},
        {"IP_PMTUDISC_DONT",
         [](const Sender &s) { return s.option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT); }},
        {"SO_NO_CHECK", [](const Sender &s) { return s.option(SOL_SOCKET, SO_NO_CHECK, 1); }},
        {"UDP_SEGMENT", [](const Sender &s) { return s.option(SOL_UDP, UDP_SEGMENT, 500); }},
        {"IP_OPTIONS",
         [&](const Sender &s) {
             return result(setsockopt(s.fd(), SOL_IP, IP_OPTIONS, record_route.data(),
                                      static_cast<socklen_t>(record_route.size())));
         }},
    };
    for (bool offloaded : {true, false}) {
        offload("d9", offloaded);
        for (const auto &o : options) {
            Sender s;
            ASSERT_EQ(s.set(addrs), 0);
            ASSERT_EQ(o.set(s), 0) << o.name << ": " << strerror(errno);
            uint64_t failed = 0;
            for (size_t size : {0, 1, 100, 1472, 1473, 4000}) {
                SCOPED_TRACE(std::string(o.name) + (offloaded ? ", offloaded, " : ", ") +
                             std::to_string(size));
                const std::string data = pattern(size);
                long error = 0;
                for (const auto &addr : addrs) {
                    long one = s.send_to(data, addr);
                    if (one < 0) {
                        error = one;
                        failed++;
                    } else {
                        EXPECT_EQ(one, static_cast<long>(size));
                    }
                }
                auto one = comparable(wire.take());
                EXPECT_EQ(s.send(data), static_cast<long>(size));
                auto group = comparable(wire.take());
                ASSERT_EQ(group.size(), one.size());
                for (size_t i = 0; i < one.size(); i++)
                    EXPECT_TRUE(group[i] == one[i]) << "packet " << i;
                if (error) {
                    EXPECT_TRUE(one.empty());
                    EXPECT_EQ(s.stat().members[2].error, -error);
                } else {
                    EXPECT_GE(one.size(), 3u);
                }
                EXPECT_EQ(s.stat().totals.failed, failed);
            }
        }
    }
}

std::string read_file(const std::string &path)
{
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

// Has the events of a send recorded for the time that it exists.
class Trace {
public:
    Trace() { enable(1); }
    ~Trace() { enable(0); }
    std::string text() const { return read_file(tracing + "trace"); }

private:
    const std::string tracing = "/sys/kernel/tracing/";
    void enable(int on) const
    {
        std::ofstream(tracing + "trace") << '\n';
        for (std::string event : {"udp_group_send_begin", "udp_group_send_end"}) {
            std::ofstream out(tracing + "events/udp_group/" + event + "/enable");
            out << on << std::flush;
            EXPECT_TRUE(out.good()) << event;
        }
    }
};

TEST_F(Compose, TracepointsTellOfASend)
{
    Receiver r;
    std::vector<sockaddr_in> addrs{r.address(), address("10.77.0.1", 9)};
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    addrs.push_back(address("127.0.0.1", 9));
    ASSERT_EQ(s.set(addrs), 0);
    Trace trace;
    EXPECT_EQ(s.send_to("no group's", r.address()), 10);
    EXPECT_EQ(s.send("12345", MSG_MORE), -EOPNOTSUPP);
    EXPECT_EQ(s.send("12345"), 5);
    std::string text = trace.text();
    std::regex line("udp_group_send_[^\n]*");
    std::vector<std::string> lines;
    for (std::sregex_iterator it(text.begin(), text.end(), line), end; it != end; ++it)
        lines.push_back(it->str());
    ASSERT_EQ(lines.size(), 2u) << text;
    std::smatch begin, end;
    ASSERT_TRUE(std::regex_match(
        lines[0], begin,
        std::regex("udp_group_send_begin: skaddr=(\\S+) generation=2 members=3 len=5")))
        << lines[0];
    ASSERT_TRUE(std::regex_match(lines[1], end,
                                 std::regex("udp_group_send_end: skaddr=(\\S+) generation=2 "
                                            "passed=3 sent=2 failed=1 unreached=0 err=0")))
        << lines[1];
    EXPECT_EQ(begin[1], end[1]);
}

} // namespace
} // namespace selftest
