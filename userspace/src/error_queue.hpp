// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// A socket's error queue, where IP_RECVERR puts the ICMP errors that come back.
#pragma once

#include "groupcast/groupcast.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <utility>

namespace groupcast::internal {

class error_queue {
public:
    // What to do with an ICMP error: where the datagram went, and the errno.
    using handler = std::function<void(const udp_group_addr &dest, int error)>;

    error_queue(int fd, sa_family_t family, handler on_icmp)
        : fd_(fd), family_(family), on_icmp_(std::move(on_icmp))
    {}

    // From now on ICMP errors go to the queue, with the member's address.
    int start();
    // Puts the socket back as it was.
    void stop();

    void drain();

    // How many ICMP errors have been taken from the queue.
    uint64_t seen() const { return seen_; }

    // A send fails with the error of an earlier datagram, if one came back, and
    // so uses it up. Was it that, and is it worth another try?
    bool was_earlier(int err, uint64_t seen_before, int retries);

private:
    struct option {
        int level;
        int name;
        int before = 0; // as the program had it
    };

    std::span<option> options();
    void restore();

    const int fd_;
    const sa_family_t family_;
    const handler on_icmp_;
    option options_[2] = {{IPPROTO_IP, IP_RECVERR}, {IPPROTO_IPV6, IPV6_RECVERR}};

    // Held while the queue is emptied, so that who gets it knows that all that
    // was taken before is counted.
    std::mutex lock_;
    std::atomic<uint64_t> seen_ = 0;
};

} // namespace groupcast::internal
