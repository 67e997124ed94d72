// SPDX-License-Identifier: GPL-2.0-only
// Groups pass the send buffer by at most one datagram for each thread that sends,
// whatever the family, the length and the path are.

#include "families.hpp"
#include "slow.hpp"

#include <csignal>

namespace selftest {
namespace {

struct Load {
    const char *name;
    size_t length;
    int flags; // MSG_CONFIRM is what the fast path does not have
};

constexpr Load loads[] = {{"small", 100, 0},       {"small, true path", 100, MSG_CONFIRM},
                          {"one packet", 1452, 0}, {"one packet, true path", 1452, MSG_CONFIRM},
                          {"fragments", 8000, 0},  {"fragments, true path", 8000, MSG_CONFIRM}};

class Room : public SlowDevice, public testing::WithParamInterface<Mix> {
protected:
    static constexpr size_t n = 40;

    // A queue that lets one leave in some seconds.
    void SetUp() override
    {
        enable_ip6();
        run("ip link add slow type dummy; ip link set slow up; ip addr add 10.9.0.1/16 dev slow; "
            "ip addr add fd09::1/64 dev slow nodad; "
            "tc qdisc add dev slow root tbf rate 1kbit burst 1600 limit 100000000");
        // and these are before it
        for (int i = 0; i < 10; i++)
            Sender().send_to(std::string(1400, 'x'), address("10.9.0.200", 9));
        catch_signal();
        for (size_t i = 0; i < n; i++) {
            const auto nr = std::to_string(i + 2);
            const auto of = GetParam().hosts_of({"fd09::" + nr}, {"10.9.0." + nr});
            members_.push_back(either(of[i % of.size()], 9));
        }
    }
    // What the largest datagram to one of them is charged with.
    int one(const Load &load) const
    {
        int most = 0;
        for (size_t i = 0; i < 2; i++) {
            Sender s(GetParam().domain);
            if (change(s, SO_SETGRP, std::span(members_).subspan(i, 1)) != 0)
                throw std::runtime_error("SO_SETGRP");
            EXPECT_EQ(s.send(std::string(load.length, 'x'), load.flags),
                      static_cast<long>(load.length));
            most = std::max(most, charged(s));
        }
        return most;
    }
    // Threads that send until they wait; then they are told to end. Returns what was
    // charged at most, as far as that was seen.
    int highest(const Sender &s, const Load &load, int threads) const
    {
        const std::string bytes(load.length, 'x');
        std::atomic<bool> done = false;
        std::atomic<int> highest = 0;
        auto look = [&] { highest = std::max<int>(highest, charged(s)); };
        std::thread watch([&] {
            // A batch is charged at once, and with two senders one is given back
            while (!done && threads == 1)
                look();
        });
        // They begin at the same time, and ask for room that only one of them can have
        std::atomic<int> ready = 0;
        std::vector<std::atomic<pid_t>> ids(static_cast<size_t>(threads));
        std::vector<std::thread> senders;
        for (auto &id : ids)
            senders.emplace_back([&] {
                id = gettid();
                ready++;
                while (ready < threads)
                    continue;
                s.send(bytes, load.flags);
            });
        while (ready < threads)
            std::this_thread::yield();
        for (auto &id : ids)
            await_sleep(id);
        done = true;
        watch.join();
        look();
        for (auto &t : senders) {
            pthread_kill(t.native_handle(), SIGUSR1);
            t.join();
        }
        return highest;
    }

    std::vector<Address> members_;
};

INSTANTIATE_TEST_SUITE_P(Of, Room, testing::ValuesIn(mixes()), name_of);

TEST_P(Room, IsPassedByADatagramAtMost)
{
    for (const auto &load : loads)
        for (int threads : {1, 2}) {
            SCOPED_TRACE(std::string(load.name) + ", threads: " + std::to_string(threads));
            const int most = one(load), buffer = 10 * most + most / 2;
            Sender s(GetParam().domain);
            // the kernel doubles what is asked for
            ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUFFORCE, buffer / 2), 0);
            ASSERT_EQ(change(s, SO_SETGRP, members_), 0);
            const int seen = highest(s, load, threads);
            ASSERT_GT(seen, buffer - most);
            ASSERT_LE(seen, buffer + threads * most);
        }
}

} // namespace
} // namespace selftest
