// SPDX-License-Identifier: GPL-2.0-only
// Loopback with a gate in it: while it is closed, what is sent waits there and is
// charged to its socket. So a full buffer is no question of how fast a guest is.
#pragma once

#include "../netlink.hpp"
#include "support.hpp"

#include <linux/pkt_sched.h>

namespace selftest {

class Gate {
public:
    Gate() { set(shut, NLM_F_CREATE | NLM_F_EXCL); }
    ~Gate() { EXPECT_EQ(ask(netlink::Request(RTM_DELQDISC, 0, root())), 0); }
    Gate(const Gate &) = delete;
    Gate &operator=(const Gate &) = delete;
    void close() const { set(shut); }
    // Everything goes, from the next datagram on, which is this one.
    void open() const
    {
        set(wide);
        sink_.send_to("x", address("127.0.0.1", 9));
    }
    // Closed again, once there is room in the buffer.
    void close_behind(const Sender &s) const
    {
        pollfd p{.fd = s.fd(), .events = POLLOUT, .revents = 0};
        EXPECT_EQ(poll(&p, 1, 30000), 1);
        close();
    }

private:
    static constexpr uint32_t shut = 1, wide = 125'000'000; // bytes/second
    static tcmsg root()
    {
        tcmsg m{};
        m.tcm_ifindex = static_cast<int>(if_nametoindex("lo"));
        m.tcm_parent = TC_H_ROOT;
        return m;
    }
    // A few datagrams pass at each change.
    void set(uint32_t rate, uint16_t flags = 0) const
    {
        constexpr uint32_t burst = 2000;
        tc_tbf_qopt tbf{};
        tbf.rate.rate = rate;
        tbf.rate.linklayer = TC_LINKLAYER_ETHERNET;
        tbf.limit = 10'000'000;
        netlink::Request options(0, 0, tcmsg{});
        options.attribute(TCA_TBF_PARMS,
                          std::string(reinterpret_cast<const char *>(&tbf), sizeof(tbf)));
        options.attribute(TCA_TBF_BURST, burst);
        netlink::Request change(RTM_NEWQDISC, flags, root());
        change.attribute(TCA_KIND, std::string("tbf\0", 4));
        change.attribute(TCA_OPTIONS, options.inside(sizeof(tcmsg)));
        ASSERT_EQ(ask(change), 0);
    }
    long ask(const netlink::Request &request) const
    {
        return netlink::ask(netlink_.get(), request);
    }
    Fd netlink_{socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
    Sender sink_;
};

} // namespace selftest
