// SPDX-License-Identifier: GPL-2.0-only
// sendmmsg() on a kernel that batches its transmissions as it does a group's:
// the first question that a maintainer asks. Only a kernel with the patch for
// this measurement has the switch.
#pragma once

#include "sockets.hpp"

#include <fcntl.h>

namespace ways {

class BatchedSendMmsg final : public Way {
public:
    BatchedSendMmsg(std::span<const sockaddr_in> members, int sndbuf) : inner_(members, sndbuf)
    {
        switch_ = open(path, O_WRONLY | O_CLOEXEC);
        if (switch_ < 0 && errno == ENOENT)
            throw NotPossible(std::string("this kernel has no ") + path);
        check(switch_ >= 0, path);
    }
    ~BatchedSendMmsg() override { close(switch_); }
    void begin() override { set("1"); }
    void end() override { set("0"); }
    void send(std::span<const char> data) override { inner_.send(data); }
    void change(size_t i, const sockaddr_in &member) override { inner_.change(i, member); }

private:
    static constexpr const char *path = "/proc/sys/net/core/bench_sendmmsg_batch";

    void set(const char *value) const { check(pwrite(switch_, value, 1, 0) == 1, path); }

    SendMmsg inner_;
    int switch_ = -1;
};

} // namespace ways
