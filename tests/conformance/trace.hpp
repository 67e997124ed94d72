// SPDX-License-Identifier: GPL-2.0-only
// Which path the datagrams of a send took: the engine's tracepoint tells.
#pragma once

#include "../selftests/support.hpp"

namespace conformance {

struct SendEvent {
    unsigned long passed, fast, sent, failed, unreached;
    int err;
};

// An instance of tracefs of our own: nobody else's events, nor ours with others.
// One for all tests, because it takes long to make.
class SendTrace {
public:
    static SendTrace &of_all();
    ~SendTrace();
    SendTrace(const SendTrace &) = delete;
    SendTrace &operator=(const SendTrace &) = delete;
    // The events since the last time.
    std::vector<SendEvent> take();

private:
    SendTrace();
    selftest::Fd pipe_;
};

} // namespace conformance
