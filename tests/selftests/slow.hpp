// SPDX-License-Identifier: GPL-2.0-only
// What the tests of waiting share: a device that is slow, and signals.
#pragma once

#include "support.hpp"

#include <csignal>
#include <thread>

namespace selftest {

class SlowDevice : public InNamespace {
    // What waits for a slow device keeps its socket, and that the namespace, for
    // hours; kmemleak loses sight of a list whose head moves while it looks.
    void TearDown() override
    {
        if (if_nametoindex("slow"))
            run("ip link del slow");
    }
};

// A device that lets about so many datagrams of 100 bytes leave in a second. Those
// that wait are charged to the socket. 10.9/16 is behind it.
inline void slow_device(double datagrams)
{
    run("ip link add slow type dummy; ip link set slow up; ip addr add 10.9.0.1/16 dev slow");
    run("tc qdisc add dev slow root tbf rate " +
        std::to_string(static_cast<long>(datagrams * 142 * 8)) + "bit burst 200 limit 10000000");
}

inline const std::string hundred(100, 'x');

// SIGUSR1 ends system calls that wait, and nothing else: there is no SA_RESTART.
inline void catch_signal()
{
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR1, &action, nullptr);
}

// Waits for a thread that is about to sleep, in the send that it was made for.
inline void await_sleep(pid_t thread)
{
    const std::string file = "/proc/self/task/" + std::to_string(thread) + "/stat";
    for (char state = 0; state != 'S'; std::this_thread::yield()) {
        std::ifstream text(file); // "12 (name) S ..."
        text.ignore(1000, ')') >> state;
    }
}

} // namespace selftest
