// SPDX-License-Identifier: GPL-2.0-only
// What the tests of waiting share: a device that is slow, and signals.
#pragma once

#include "support.hpp"

#include <algorithm>
#include <chrono>
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

inline const std::string hundred(100, 'x');

// The device before it is slow. 10.9/16 is behind it.
inline void fast_device()
{
    run("ip link add slow type dummy; ip link set slow up; ip addr add 10.9.0.1/16 dev slow");
}

// From now on it lets about so many datagrams of 100 bytes leave in a second. Those
// that wait are charged to the socket.
inline void slow_down(double datagrams)
{
    run("tc qdisc add dev slow root tbf rate " +
        std::to_string(static_cast<long>(datagrams * 142 * 8)) + "bit burst 200 limit 10000000");
}

inline void slow_device(double datagrams)
{
    fast_device();
    slow_down(datagrams);
}

// A device so many times slower than this machine is at sending, whatever it is:
// under emulation a datagram can take a millisecond. send(sender) is how the test
// sends to a group.
template <typename Send> void slower_device(double times, Send send)
{
    constexpr uint32_t members = 100;
    fast_device();
    Sender s;
    ASSERT_EQ(s.set(many(0x0a090002, members)), 0);
    auto best = std::chrono::duration<double>::max();
    for (int i = 0; i < 3; i++) {
        auto start = std::chrono::steady_clock::now();
        ASSERT_EQ(send(s), static_cast<long>(hundred.size()));
        best = std::min<decltype(best)>(best, std::chrono::steady_clock::now() - start);
    }
    slow_down(members / best.count() / times);
}

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
