// SPDX-License-Identifier: GPL-2.0-only
// Faults in the calling thread's system calls: the n-th allocation or copy fails.
#pragma once

#include "../selftests/support.hpp"

namespace torture {

// Allocations that may sleep fail as well, and single pages; nothing is printed.
inline void arm_all_faults()
{
    auto put = [](const std::string &file, const char *value) {
        std::ofstream out("/sys/kernel/debug/" + file);
        if (!(out << value << std::flush))
            throw std::runtime_error(file);
    };
    for (std::string what : {"failslab", "fail_page_alloc", "fail_usercopy"})
        put(what + "/verbose", "0");
    for (std::string what : {"failslab", "fail_page_alloc", "fail_usercopy"})
        put(what + "/times", "1000000000"); // which is counted down
    put("failslab/ignore-gfp-wait", "N");
    put("fail_page_alloc/ignore-gfp-wait", "N");
    put("fail_page_alloc/ignore-gfp-highmem", "N");
    put("fail_page_alloc/min-order", "0");
}

class NthFault {
public:
    NthFault() : file_(open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC))
    {
        if (file_.get() < 0)
            throw std::runtime_error("fail-nth");
    }
    struct Outcome {
        long result;
        bool failed;  // there was an n-th one
        bool is_copy; // and it was a copy, no allocation
    };
    // One system call; the fault counter is on for that alone.
    template <typename Call> Outcome operator()(int n, Call call)
    {
        const long copies = copies_left();
        write_count(n);
        long is = call();
        char left = '0';
        // to read it is a copy itself, which can be the one that fails
        bool failed = pread(file_.get(), &left, 1, 0) == 1 && left == '0';
        while (pwrite(file_.get(), "0", 1, 0) != 1)
            ;
        return {is, failed, copies_left() != copies};
    }

private:
    void write_count(int n)
    {
        auto text = std::to_string(n);
        if (pwrite(file_.get(), text.data(), text.size(), 0) < 0)
            throw std::runtime_error("fail-nth");
    }
    // Nobody else has faults.
    static long copies_left()
    {
        long left = 0;
        if (!(std::ifstream("/sys/kernel/debug/fail_usercopy/times") >> left))
            throw std::runtime_error("fail_usercopy");
        return left;
    }
    selftest::Fd file_;
};

} // namespace torture
