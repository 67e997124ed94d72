// SPDX-License-Identifier: GPL-2.0-only
// Runs programs, and holds what they can see against what is documented.
#pragma once

#include "coverage.hpp"
#include "hostile.hpp"
#include "program.hpp"
#include "random.hpp"
#include "ring.hpp"
#include "view.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace fuzz {

class Machine {
public:
    using Visitor = std::function<void(std::span<const uint64_t>)>;

    // Coverage may be none.
    explicit Machine(Coverage *coverage);
    ~Machine();
    Machine(const Machine &) = delete;
    Machine &operator=(const Machine &) = delete;

    // Says what should not have been, or nothing.
    std::string run(const Program &program, const Visitor &visit);

private:
    struct Slot {
        int fd = -1;
        bool has_groups = false; // can have
        View view;
    };
    // What became of a system call: 0 or more, or an errno.
    struct Outcome {
        long result;
        int err;
    };

    template <typename Call> Outcome observe(Call call);
    Slot &slot(uint64_t number);
    void open_slot(Slot &slot, uint64_t number);
    void close_slot(Slot &slot);

    std::string run_one(const Operation &op);
    std::string set(Slot &slot, const Operation &op);
    std::string check_set(Slot &slot, int option, std::span<const std::byte> given, size_t count);
    std::string get(Slot &slot, const Operation &op);
    std::string set_flags(Slot &slot, const Operation &op);
    std::string send(Slot &slot, const Operation &op);
    std::string other(Slot &slot, const Operation &op);
    Outcome send_message(const Slot &slot, const Operation &op, int flags, size_t len);
    Outcome send_by_pipe(const Slot &slot, size_t len, bool more);
    Outcome send_file(const Slot &slot, size_t len);

    // Nothing but what the caller says may have changed.
    enum class Change { None, Sent };
    std::string unchanged(Slot &slot, Change change);

    Coverage *coverage_;
    const Visitor *visit_ = nullptr;
    Memory memory_;
    Ring ring_;
    std::array<Slot, 3> slots_;
    int fail_nth_;
    uint64_t fail_ = 0; // in the next operation
    int file_;          // with data
    bool link_changed_ = false;
};

} // namespace fuzz
