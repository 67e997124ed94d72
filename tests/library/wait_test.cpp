// SPDX-License-Identifier: GPL-2.0-only
// Sends that wait for room: how long, and what ends it. Only lower bounds are
// held against the clock, so that a slow machine is as good as a fast one.

#include "absent.hpp"
#include "support.hpp"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <stop_token>

namespace library_test {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

// So few bytes that some datagrams fill it.
void set_small_buffer(const Sender &s)
{
    ASSERT_EQ(set_option(s.fd(), SOL_SOCKET, SO_SNDBUF, 1), 0);
}

void set_timeout(const Sender &s, std::chrono::microseconds time)
{
    timeval timeout{};
    timeout.tv_usec = time.count();
    ASSERT_EQ(setsockopt(s.fd(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)), 0);
}

// They stay absent for longer than a test takes.
std::vector<sockaddr_in> long_absent(size_t n)
{
    auto absent = absent_hosts(n);
    if (std::system("echo 1000000 >/proc/sys/net/ipv4/neigh/v0/retrans_time_ms") != 0)
        throw std::runtime_error("no retrans_time_ms");
    return absent;
}

void expect_part_sent(const Sender &s, size_t members)
{
    auto totals = s.totals();
    EXPECT_GT(totals.sent, 0U);
    EXPECT_GT(totals.unreached, 0U);
    EXPECT_EQ(totals.failed, 0U);
    EXPECT_EQ(totals.sent + totals.unreached, members);
}

/* The timeout */

void time_out()
{
    auto absent = long_absent(50);
    Sender s;
    set_small_buffer(s);
    set_timeout(s, 100ms);
    ASSERT_EQ(s.set(absent), 0);
    auto begin = clock::now();
    EXPECT_EQ(s.send("data"), 4) << "a part was reached";
    EXPECT_GE(clock::now() - begin, 90ms);
    expect_part_sent(s, 50);

    begin = clock::now();
    EXPECT_EQ(s.send("data"), -EAGAIN) << "nobody was";
    EXPECT_GE(clock::now() - begin, 90ms);
    EXPECT_EQ(s.totals().sends, 1U);

    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    EXPECT_EQ(s.send("data"), -EAGAIN);
    expect_part_sent(s, 50);
}

// One host after another turns up, and so there is room again and again.
void turn_up(const std::stop_token &stop, const std::vector<sockaddr_in> &absent)
{
    FILE *ip = popen("ip -batch -", "w");
    for (size_t i = 0; i < absent.size() && !stop.stop_requested(); i++) {
        std::this_thread::sleep_for(20ms);
        std::fprintf(ip, "neigh replace 10.0.0.%u lladdr 02:00:00:00:00:01 dev v0\n",
                     ntohl(absent[i].sin_addr.s_addr) & 255U);
        std::fflush(ip);
    }
    pclose(ip);
}

void time_out_in_all()
{
    auto absent = long_absent(100);
    Sender s;
    set_small_buffer(s);
    set_timeout(s, 400ms);
    ASSERT_EQ(s.set(absent), 0);
    std::jthread host(turn_up, absent);
    const auto begin = clock::now();
    EXPECT_EQ(s.send("data"), 4);
    EXPECT_GE(clock::now() - begin, 390ms);
    expect_part_sent(s, 100);
}

TEST(Wait, TimesOut) { in_thread(time_out); }

TEST(Wait, TimeoutIsTheWholeSends) { in_thread(time_out_in_all); }

/* Signals */

// Signals to the thread that made it, until it is gone.
class Signals {
public:
    explicit Signals(int flags)
    {
        struct sigaction action {};
        action.sa_handler = [](int) {};
        action.sa_flags = flags;
        sigaction(SIGUSR1, &action, &before_);
        sender_ = std::jthread([self = pthread_self()](const std::stop_token &stop) {
            for (; !stop.stop_requested(); std::this_thread::sleep_for(20ms))
                pthread_kill(self, SIGUSR1);
        });
    }
    Signals(const Signals &) = delete;
    Signals &operator=(const Signals &) = delete;
    ~Signals()
    {
        sender_ = {};
        sigaction(SIGUSR1, &before_, nullptr);
    }

private:
    struct sigaction before_ {};
    std::jthread sender_;
};

void be_interrupted()
{
    auto absent = long_absent(50);
    // Who has passed a slot is not restarted, whatever the handler says
    for (int flags : {0, SA_RESTART}) {
        Sender s;
        set_small_buffer(s);
        ASSERT_EQ(s.set(absent), 0);
        Signals signals(flags);
        EXPECT_EQ(s.send("data"), 4);
        expect_part_sent(s, 50);
    }

    Sender s;
    set_small_buffer(s);
    ASSERT_EQ(s.set(absent), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    Signals signals(0);
    const ssize_t passed = s.send("data");
    EXPECT_GT(passed, 0);
    EXPECT_LT(passed, 50);
    auto next = static_cast<uint32_t>(passed);
    EXPECT_EQ(s.send_with("data", {.range = {next, 0}}), -EINTR);
    EXPECT_EQ(s.totals().sends, 1U);
    EXPECT_EQ(s.totals().sent, next);
    EXPECT_EQ(s.totals().unreached, 0U);
}

void be_restarted()
{
    auto absent = long_absent(50);
    Sender s;
    set_small_buffer(s);
    ASSERT_EQ(s.set(absent), 0);
    ASSERT_EQ(s.send("data", MSG_DONTWAIT), 4);
    const uint64_t before = s.totals().sent;
    Signals signals(SA_RESTART);
    std::jthread room([&] {
        std::this_thread::sleep_for(200ms);
        set_option(s.fd(), SOL_SOCKET, SO_SNDBUFFORCE, 1 << 20);
    });
    EXPECT_EQ(s.send("data"), 4);
    EXPECT_EQ(s.totals().sent, before + 50);
}

TEST(Wait, SignalEndsIt) { in_thread(be_interrupted); }

TEST(Wait, RestartsWhileNobodyWasReached) { in_thread(be_restarted); }

} // namespace
} // namespace library_test
