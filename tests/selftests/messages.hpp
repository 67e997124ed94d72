// SPDX-License-Identifier: GPL-2.0-only
// What the tests of composition share: messages with control data, datagrams
// with what came beside them, captures of a device.
#pragma once

#include "support.hpp"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <net/if.h>
#include <poll.h>

#include <ctime>
#include <map>
#include <ostream>

namespace selftest {

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
        if (len)
            memcpy(CMSG_DATA(c), value, len);
        return *this;
    }
    // What there is for groups.
    Control &skip(std::span<const sockaddr_in> addrs)
    {
        return add_raw(SOL_UDP, UDP_GRP_SKIP, addrs.data(), addrs.size_bytes());
    }
    Control &range(uint32_t first, uint32_t count)
    {
        return add(SOL_UDP, UDP_GRP_RANGE, udp_grp_range{first, count});
    }
    Control &own(uint64_t generation, uint32_t length)
    {
        return add(SOL_UDP, UDP_GRP_PRIVATE, udp_grp_private{generation, length, 0});
    }
    Control &spread(uint64_t nanoseconds) { return add(SOL_UDP, UDP_GRP_SPREAD, nanoseconds); }
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

inline std::ostream &operator<<(std::ostream &out, const Datagram &d)
{
    return out << d.data.size() << " bytes, ttl " << d.ttl << ", tos " << d.tos << ", from "
               << d.from;
}

inline Datagram receive(const Receiver &r)
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

inline void expect_each(std::vector<Receiver> &rs, std::string_view data)
{
    for (auto &r : rs)
        EXPECT_EQ(r.next(), data);
}

inline void expect_none(std::vector<Receiver> &rs)
{
    for (auto &r : rs)
        EXPECT_TRUE(r.empty());
}

// Bytes of which no two stretches are alike.
inline std::string pattern(size_t n)
{
    std::string bytes(n, '\0');
    uint32_t x = 1;
    for (auto &b : bytes) {
        x = x * 1664525 + 1013904223;
        b = static_cast<char>(x >> 24);
    }
    return bytes;
}

// A pipe with something in it.
class Pipe {
public:
    explicit Pipe(const std::string &data)
    {
        int ends[2];
        if (pipe(ends) < 0)
            throw std::runtime_error("pipe");
        out_ = Fd(ends[0]);
        in_ = Fd(ends[1]);
        if (write(in_.get(), data.data(), data.size()) != static_cast<ssize_t>(data.size()))
            throw std::runtime_error("write");
    }
    long splice_to(const Sender &s, size_t len, unsigned flags = 0) const
    {
        return result(splice(out_.get(), nullptr, s.fd(), nullptr, len, flags));
    }

private:
    Fd out_, in_;
};

// Two devices without a peer: 10.8/16 is routed to d8, 10.9/16 to d9.
inline void devices()
{
    for (std::string n : {"8", "9"})
        run("ip link add d" + n + " type dummy && ip addr add 10." + n + ".0.1/16 dev d" + n +
            " && ip link set d" + n + " up");
}

// A veth pair: near is here, far in the peer's namespace. Who is there is known:
// no datagram waits for that.
class Veth {
public:
    explicit Veth(const NetNs &here) : here_(here)
    {
        here_.enter();
        run("ip link add near type veth peer name far address 02:00:00:00:00:02 netns /proc/" +
            std::to_string(getpid()) + "/fd/" + std::to_string(peer_.fd()) +
            " && ip addr add 10.1.0.1/24 dev near && ip link set near up && "
            "ip neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 dev near");
        peer_.enter();
        run("ip addr add 10.1.0.2/24 dev far && ip link set far up");
        here_.enter();
    }
    std::vector<Receiver> receivers(size_t n) const
    {
        std::vector<Receiver> rs;
        peer_.enter();
        while (rs.size() < n)
            rs.emplace_back("10.1.0.2");
        here_.enter();
        return rs;
    }
    const NetNs &peer() const { return peer_; }

private:
    const NetNs &here_;
    NetNs peer_;
};

// How a send is made to take one of the two paths.
struct Way {
    const char *name;
    int flags = 0;
    Control control = {};
};

inline std::ostream &operator<<(std::ostream &out, const Way &way) { return out << way.name; }

inline std::vector<Way> ways()
{
    // no option but an end of options
    const std::string no_options(4, '\0');
    return {{"Fast"},
            {"Confirm", MSG_CONFIRM},
            {"Options", 0, Control().add_raw(SOL_IP, IP_RETOPTS, no_options.data(), 4)}};
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
        int large = 16 << 20;
        setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large));
        take();
    }
    // The next ones, as many as that, for which it waits.
    std::vector<std::string> wait(size_t n)
    {
        std::vector<std::string> packets;
        pollfd p{.fd = fd_.get(), .events = POLLIN, .revents = 0};
        do {
            for (auto &packet : take())
                packets.push_back(std::move(packet));
        } while (packets.size() < n && poll(&p, 1, patience) == 1);
        return packets;
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

// How often each address is the destination.
inline std::map<uint32_t, int> destinations(const std::vector<std::string> &packets)
{
    std::map<uint32_t, int> n;
    for (const auto &p : packets) {
        uint32_t to = 0;
        memcpy(&to, p.data() + 16, 4);
        n[ntohl(to)]++;
    }
    return n;
}

inline uint64_t monotonic()
{
    timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return static_cast<uint64_t>(ts.tv_sec) * 1000000000 + static_cast<uint64_t>(ts.tv_nsec);
}

// Has loopback hold a datagram until its time, which a control message tells;
// until then it is charged to its socket.
inline void hold_datagrams(const Sender &s)
{
    run("tc qdisc add dev lo root fq horizon 1000s");
    sock_txtime txtime{.clockid = CLOCK_MONOTONIC, .flags = 0};
    if (setsockopt(s.fd(), SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)) < 0)
        throw std::runtime_error("SO_TXTIME");
}

inline Control leave_at(uint64_t time) { return Control().add(SOL_SOCKET, SCM_TXTIME, time); }

} // namespace selftest
