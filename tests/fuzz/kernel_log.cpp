// SPDX-License-Identifier: GPL-2.0-only
#include "kernel_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

namespace fuzz {

namespace {

// tests/qemu/boot.sh has the whole list; these come from what a program did.
constexpr std::string_view complaints[] = {
    "WARNING:",
    "BUG:",
    "UBSAN:",
    "Oops",
    "circular locking",
    "recursive locking",
    "lock inversion",
    "suspicious RCU",
    "refcount_t:",
    "ODEBUG",
    "INFO: task",
    "INFO: rcu",
    "ref_tracker",
    "leaked reference",
    "general protection fault",
};

} // namespace

KernelLog::KernelLog() : fd_(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC))
{
    if (fd_ < 0)
        throw std::system_error(errno, std::generic_category(), "/dev/kmsg");
    lseek(fd_, 0, SEEK_END);
}

KernelLog::~KernelLog() { close(fd_); }

std::string KernelLog::complaint()
{
    std::string found;
    char record[8192];
    for (;;) {
        const ssize_t n = read(fd_, record, sizeof(record));
        if (n < 0 && errno == EPIPE)
            continue; // overwritten: the next one is there
        if (n <= 0)
            return found;
        const std::string_view text(record, static_cast<size_t>(n));
        for (auto complaint : complaints)
            if (found.empty() && text.find(complaint) != std::string_view::npos)
                found = text.substr(0, text.find('\n'));
    }
}

} // namespace fuzz
