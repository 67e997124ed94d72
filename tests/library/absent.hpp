// SPDX-License-Identifier: GPL-2.0-only
// Hosts that are not there, for tests of full send buffers.
#pragma once

#include "support.hpp"

#include <net/if.h>
#include <sched.h>

#include <thread>

namespace library_test {

// Loopback takes every datagram at once. Here they wait for the hardware
// address of hosts that are not there, and stay in the buffer meanwhile: nobody
// gives up asking for it while a test looks, however slow it is.
inline std::vector<sockaddr_in> absent_hosts(size_t n)
{
    if (unshare(CLONE_NEWNET) < 0)
        throw std::runtime_error("unshare(CLONE_NEWNET): this test needs root");
    if (std::system("ip link add v0 type veth peer name v1 && ip addr add 10.0.0.1/8 dev v0 && "
                    "ip link set v1 up && ip link set v0 up && "
                    "echo 100000000 >/proc/sys/net/ipv4/neigh/v0/unres_qlen_bytes && "
                    "echo 1000000 >/proc/sys/net/ipv4/neigh/v0/retrans_time_ms") != 0)
        throw std::runtime_error("no veth");
    auto absent = many(n + 1);
    absent.erase(absent.begin()); // 10.0.0.1 is this host
    return absent;
}

// The namespace is the thread's, and ends with it; what waits for those hosts would
// keep it, and goes with the device.
inline void in_thread(void (*call)())
{
    std::thread([call] {
        try {
            call();
            if (if_nametoindex("v0")) {
                EXPECT_EQ(std::system("ip link del v0"), 0);
            }
        } catch (const std::exception &e) {
            ADD_FAILURE() << e.what();
        }
    }).join();
}

} // namespace library_test
