// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// The messages of one call of sendmmsg(2), each to a member.
#pragma once

#include "send_request.hpp"

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace groupcast::internal {

// Goes through pieces of memory from the first byte to the last.
class piece_cursor {
public:
    explicit piece_cursor(std::span<const iovec> pieces = {}) : pieces_(pieces) {}
    void skip(size_t len);
    // Appends pieces of so many bytes to those in out from first on.
    void take(size_t len, std::vector<iovec> &out, size_t first);

private:
    iovec next(size_t len) const;
    void advance(size_t len);

    std::span<const iovec> pieces_;
    size_t offset_ = 0; // in the first of them
};

class message_batch {
public:
    // Linux takes no more in one call: UIO_MAXIOV
    static constexpr size_t max_messages = 1024;

    // For sends by this plan. Both must live as long as the batch is used.
    void begin(const send_request &request, const send_plan &plan);
    void clear();

    // Appends the message to a member, whose slot is behind those that have
    // been appended since begin(); false if it is full.
    bool add(member &to);

    std::span<mmsghdr> messages() { return std::span(messages_).first(count_); }
    member &to(size_t i) { return *to_[i]; }

private:
    void add_data(msghdr &msg, size_t slot);
    void add_departure(msghdr &msg, size_t slot);

    const send_request *request_ = nullptr;
    const send_plan *plan_ = nullptr;

    size_t count_ = 0;
    size_t max_count_ = 0;
    std::array<mmsghdr, max_messages> messages_;
    std::array<member *, max_messages> to_;

    // With private parts: where the next one begins, and which slot's it is
    piece_cursor next_own_;
    size_t next_slot_ = 0;
    std::vector<iovec> shared_;
    std::vector<iovec> pieces_; // of all messages; has room for them

    // With departure times: all control messages of each message
    std::vector<std::byte> control_;
};

} // namespace groupcast::internal
