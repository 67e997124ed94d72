// SPDX-License-Identifier: GPL-2.0-only
// How long tests wait for what must come.
#pragma once

#include <sys/socket.h>
#include <sys/time.h>

#include <chrono>
#include <stdexcept>
#include <thread>

namespace patience_of_tests {

// In milliseconds. A machine may be slow or emulated, have other things to do, and
// stand still at times: nothing but a failure takes that long.
constexpr int patience = 20000;

// Waits until something is the case.
template <typename Condition> bool eventually(Condition is)
{
    using namespace std::chrono;
    const auto end = steady_clock::now() + milliseconds(patience);
    while (!is()) {
        if (steady_clock::now() > end)
            return is();
        std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
}

// Has what is received be waited for, but not forever.
inline void set_patience(int fd)
{
    timeval timeout{};
    timeout.tv_sec = patience / 1000;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
        throw std::runtime_error("SO_RCVTIMEO");
}

} // namespace patience_of_tests
