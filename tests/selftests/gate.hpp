// SPDX-License-Identifier: GPL-2.0-only
// Loopback with a gate in it: while it is closed, what is sent waits there and is
// charged to its socket. So a full buffer is no question of how fast a guest is.
#pragma once

#include "support.hpp"

namespace selftest {

class Gate {
public:
    Gate() { set("add", "8bit"); }
    ~Gate() { run("tc qdisc del dev lo root"); }
    Gate(const Gate &) = delete;
    Gate &operator=(const Gate &) = delete;
    void close() const { set("change", "8bit"); }
    // Everything goes, from the next datagram on, which is this one.
    void open() const
    {
        set("change", "1gbit");
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
    // A few datagrams pass at each change.
    static void set(const std::string &how, const std::string &rate)
    {
        run("tc qdisc " + how + " dev lo root tbf rate " + rate + " burst 2000 limit 10000000");
    }
    Sender sink_;
};

} // namespace selftest
