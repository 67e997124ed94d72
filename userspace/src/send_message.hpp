// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// The message that asks for what struct groupcast_send_options asks for.
#pragma once

#include "groupcast/groupcast.h"

#include <cstddef>
#include <span>
#include <vector>

namespace groupcast::internal {

class send_message {
public:
    // -EINVAL: the options contradict each other; -E2BIG: they are from a newer
    // library, and ask for what this one does not know; -EFAULT.
    int make(const void *data, size_t len, const groupcast_send_options &options);

    const msghdr &get() const { return msg_; }

private:
    void add(int type, std::span<const std::byte> value);

    msghdr msg_{};
    iovec data_[2]{};
    std::vector<std::byte> control_;
};

} // namespace groupcast::internal
