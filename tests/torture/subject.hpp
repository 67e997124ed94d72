// SPDX-License-Identifier: GPL-2.0-only
// Who is put under faults: a socket with a group, and those who are in it; where
// these are.
#pragma once

#include "rtnl.hpp"

#include <liburing.h>
#include <linux/net_tstamp.h>

#include <memory>

namespace torture {

// Members on the loopback device, or behind one with a queue: a neighbour each, or
// behind a gateway.
class Network {
public:
    Network()
    {
        peer_.enter();
        with_ip6();
        // Who is asked for a neighbour answers when it likes: without ARP they are known,
        // and each is made by the first packet to it.
        run("ip link add near address 02:00:00:00:00:07 type veth "
            "peer name far address 02:00:00:00:00:07; ip link set far arp off up; "
            "for ip in 10.1.0.2/24 10.1.0.3/24 10.3.0.2/24; do ip addr add $ip dev far; done; "
            "for ip in fd01::2/64 fd01::3/64 fd03::2/64; do ip addr add $ip dev far nodad; done; "
            "ip link set near netns /proc/" +
            std::to_string(getpid()) + "/fd/" + std::to_string(here_.fd()));
        here_.enter();
        with_ip6();
        // a queue that allocates when packets come
        run("ip link set near arp off up; tc qdisc add dev near root fq; "
            "ip addr add 10.1.0.1/24 dev near; ip addr add fd01::1/64 dev near nodad; "
            "ip route add 10.3.0.0/24 via 10.1.0.3; ip route add fd03::/64 via fd01::3");
        rtnl_ = std::make_unique<Rtnl>();
    }
    Endpoint member(bool behind_device, int family, size_t i) const
    {
        if (!behind_device)
            return Endpoint(family == AF_INET6 && i % 2 ? "::1" : "127.0.0.1");
        const char *ips[] = {"10.1.0.2", "10.3.0.2", "fd01::2", "fd03::2"};
        peer_.enter();
        Endpoint e(ips[i % (family == AF_INET6 ? 4 : 2)]);
        here_.enter();
        return e;
    }
    // Neighbours are to be made again.
    void forget() const
    {
        for (const char *ip : {"10.1.0.2", "10.1.0.3", "fd01::2", "fd01::3"}) {
            long err = rtnl_->neighbour(false, "near", ip);
            EXPECT_TRUE(err == 0 || err == -ENOENT) << strerror(static_cast<int>(-err));
        }
    }

private:
    selftest::NetNs here_, peer_;
    std::unique_ptr<Rtnl> rtnl_; // of the namespace here
};

struct Subject {
    Subject(const Network &network, bool behind_device, int family, size_t members)
        : fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    {
        for (size_t i = 0; i < members; i++)
            receivers.push_back(network.member(behind_device, family, i));
        for (const auto &r : receivers)
            all += r.address();
        sock_txtime txtime{.clockid = CLOCK_MONOTONIC, .flags = 0};
        int on = 1;
        setsockopt(fd.get(), SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime));
        setsockopt(fd.get(), SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on));
    }
    Subject(const Subject &) = delete;
    Subject &operator=(const Subject &) = delete;
    ~Subject()
    {
        if (has_ring)
            io_uring_queue_exit(&ring);
    }
    udp_grpstat totals() const
    {
        udp_grpstat stat{};
        stat.size = sizeof(stat);
        socklen_t len = sizeof(stat);
        EXPECT_EQ(result(getsockopt(fd.get(), SOL_SOCKET, SO_GRPSTAT, &stat, &len)), 0);
        return stat;
    }
    std::string members() const
    {
        std::string bytes(10000, '\0');
        auto len = static_cast<socklen_t>(bytes.size());
        EXPECT_EQ(result(getsockopt(fd.get(), SOL_SOCKET, SO_SETGRP, bytes.data(), &len)), 0);
        bytes.resize(len);
        return bytes;
    }
    // Datagrams that have arrived; so many are waited for.
    size_t arrived(size_t expected) const
    {
        size_t n = 0;
        selftest::eventually([&] {
            n += take();
            return n >= expected;
        });
        return n + take();
    }

    Fd fd;
    std::vector<Endpoint> receivers;
    std::string all;
    uint64_t generation = 0; // before the operation
    // What some operations send from, or by.
    Fd pipe_in, pipe_out;
    io_uring ring{};
    bool has_ring = false;

private:
    size_t take() const
    {
        size_t n = 0;
        for (const auto &r : receivers)
            while (r.next())
                n++;
        return n;
    }
};

} // namespace torture
