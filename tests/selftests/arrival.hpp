// SPDX-License-Identifier: GPL-2.0-only
// What the tests of departure times share: when a datagram has arrived, and what is
// in time on a machine that stands still at times.
#pragma once

#include "messages.hpp"

namespace selftest {

constexpr uint64_t millisecond = 1000000;
// The two clocks, one after the other, differ by less than this.
constexpr uint64_t clocks = 2 * millisecond;
// What is due is there within this, if the machine does not stand still just then.
constexpr uint64_t soon = 400 * millisecond;

inline uint64_t nanoseconds(const timespec &ts)
{
    return static_cast<uint64_t>(ts.tv_sec) * 1000000000 + static_cast<uint64_t>(ts.tv_nsec);
}

inline uint64_t realtime()
{
    timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return nanoseconds(ts);
}

template <typename Receivers> void want_arrivals(const Receivers &rs)
{
    for (auto &r : rs) {
        int on = 1;
        ASSERT_EQ(setsockopt(r.fd(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)), 0);
    }
}

struct Arrival {
    std::string data;
    uint64_t time;
};

// The next datagram of a receiver.
inline Arrival arrival(int fd)
{
    Arrival a{std::string(65536, '\0'), 0};
    alignas(cmsghdr) char control[256];
    iovec iov{a.data.data(), a.data.size()};
    msghdr msg{};
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control;
    msg.msg_controllen = sizeof(control);
    ssize_t n = recvmsg(fd, &msg, 0);
    EXPECT_GE(n, 0) << strerror(errno);
    a.data.resize(n < 0 ? 0 : static_cast<size_t>(n));
    for (cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            timespec ts;
            memcpy(&ts, CMSG_DATA(c), sizeof(ts));
            a.time = nanoseconds(ts);
        }
    EXPECT_NE(a.time, 0u) << "no time stamp";
    return a;
}

// Tries until it was in time: a machine that stands still at times does not do so
// each time. Whatever else the try expects, it expects of all of them.
template <typename Try> void expect_in_time(Try in_time)
{
    for (int i = 0; i < 20 && !testing::Test::HasFailure(); i++)
        if (in_time())
            return;
    ADD_FAILURE() << "never in time";
}

} // namespace selftest
