// SPDX-License-Identifier: GPL-2.0-only
// What the kernel complains of while programs run.
#pragma once

#include <string>

namespace fuzz {

class KernelLog {
public:
    KernelLog(); // as root; from here on
    ~KernelLog();
    KernelLog(const KernelLog &) = delete;
    KernelLog &operator=(const KernelLog &) = delete;

    // The first complaint since the last call, or nothing.
    std::string complaint();

private:
    int fd_;
};

} // namespace fuzz
