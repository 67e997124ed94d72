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

// From now on it lets no more than so many datagrams of 100 bytes leave in a second.
// Those that wait are charged to the socket.
inline void slow_down(double datagrams)
{
    run("tc qdisc add dev slow root tbf rate " +
        std::to_string(static_cast<long>(datagrams * 142 * 8)) + "bit burst 160 limit 10000000");
}

// A device that lets one datagram leave, and none for minutes: what is there is there
// for as long as a test looks, however slow it is.
inline void stuck_device()
{
    fast_device();
    slow_down(0.01);
}

// And now it lets them leave, all of them.
inline void let_all_leave()
{
    run("tc qdisc change dev slow root tbf rate 1gbit burst 100000 limit 10000000");
    // tbf looks at its rate when the next datagram comes
    Sender().send_to("", address("10.9.0.2", 9));
}

// A device so many times slower than this machine is at sending, whatever it is:
// under emulation a datagram can take a millisecond. send(sender) is how the test
// sends to a group. Returns how many leave in a second, no more than most.
template <typename Send> double slower_device(double times, Send send, double most = 1e5)
{
    constexpr uint32_t members = 100;
    fast_device();
    Sender s;
    if (s.set(many(0x0a090002, members)) != 0)
        throw std::runtime_error("SO_SETGRP");
    auto best = std::chrono::duration<double>::max();
    for (int i = 0; i < 3; i++) {
        auto start = std::chrono::steady_clock::now();
        if (send(s) != static_cast<long>(hundred.size()))
            throw std::runtime_error("send");
        best = std::min<decltype(best)>(best, std::chrono::steady_clock::now() - start);
    }
    double rate = std::min(most, members / best.count() / times);
    slow_down(rate);
    return rate;
}

inline void set_send_timeout(const Sender &s, double seconds)
{
    timeval timeout{.tv_sec = static_cast<long>(seconds),
                    .tv_usec = static_cast<long>(seconds * 1e6) % 1000000};
    if (setsockopt(s.fd(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
        throw std::runtime_error("SO_SNDTIMEO");
}

// What is charged to the socket.
inline int charged(const Sender &s)
{
    int bytes = -1;
    ioctl(s.fd(), SIOCOUTQ, &bytes);
    return bytes;
}

// The estimate of the room is never too low: a send that may not wait, with
// something in the buffer, reaches all or does not start.
inline void expect_all_or_none(const Sender &s, uint64_t members, size_t len, int more = 0)
{
    // room for several sends, and not for very many
    int size = std::max(100000, 50 * static_cast<int>(len)) + more;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUFFORCE, size), 0);
    std::string data(len, 'x');
    long err = 0;
    uint64_t sends = 0;
    while ((err = s.send(data, MSG_DONTWAIT)) >= 0)
        sends++;
    EXPECT_EQ(err, -EAGAIN);
    EXPECT_GE(sends, 2u) << len;
    auto totals = s.stat().totals;
    EXPECT_EQ(totals.unreached, 0u) << len << " bytes, after " << sends << " sends";
    EXPECT_EQ(totals.sent, members * sends) << len;
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
    char state = 0;
    EXPECT_TRUE(eventually([&] {
        std::ifstream text(file); // "12 (name) S ..."
        text.ignore(1000, ')') >> state;
        return state == 'S';
    }));
}

// A thread that is in this send, where it waits by now.
template <typename Send> std::thread waiting_thread(Send send)
{
    std::atomic<pid_t> id = 0;
    std::thread thread([&id, send] {
        id = gettid();
        id.notify_one();
        send();
    });
    id.wait(0);
    await_sleep(id);
    return thread;
}

} // namespace selftest
