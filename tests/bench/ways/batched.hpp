// SPDX-License-Identifier: GPL-2.0-only
// sendmmsg() with the same transmit batching around it that a group's send has:
// the first question that a maintainer asks. It goes through a module that is
// for this measurement only, in tests/bench/kernel.
#pragma once

#include "../kernel/sendmmsg_batch.h"
#include "sockets.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

namespace ways {

class BatchedSendMmsg final : public Way {
public:
    BatchedSendMmsg(std::span<const sockaddr_in> members, int sndbuf) : inner_(members, sndbuf)
    {
        module_ = open(path, O_RDWR | O_CLOEXEC);
        if (module_ < 0 && (errno == ENOENT || errno == ENODEV))
            throw NotPossible(std::string("this kernel has no ") + path);
        check(module_ >= 0, path);
    }
    ~BatchedSendMmsg() override { close(module_); }
    void send(std::span<const char> data) override
    {
        auto messages = inner_.prepare(data);
        for (size_t done = 0; done < messages.size();) {
            sendmmsg_batch call{.msgs = reinterpret_cast<uintptr_t>(&messages[done]),
                                .count = static_cast<__u32>(messages.size() - done),
                                .fd = inner_.sockets()[0]};
            int sent = ioctl(module_, SENDMMSG_BATCH, &call);
            // in a batch nothing waits
            if (sent < 0 && errno == EAGAIN) {
                pollfd writable{.fd = call.fd, .events = POLLOUT, .revents = 0};
                poll(&writable, 1, -1);
                continue;
            }
            check(sent > 0, "SENDMMSG_BATCH");
            done += static_cast<size_t>(sent);
        }
    }
    void change(size_t i, const sockaddr_in &member) override { inner_.change(i, member); }

private:
    static constexpr const char *path = "/dev/sendmmsg_batch";

    SendMmsg inner_;
    int module_ = -1;
};

} // namespace ways
