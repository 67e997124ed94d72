// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "message_batch.hpp"

#include <algorithm>
#include <cstring>

namespace groupcast::internal {
namespace {

// What is a message's own takes no more memory than this, unless it is for one
// message. A message has at most one piece more than Linux takes.
constexpr size_t max_pieces = 8192;
constexpr size_t max_control = 65536;

} // namespace

// What is left of the first piece, but not more than len.
iovec piece_cursor::next(size_t len) const
{
    const auto &piece = pieces_[0];
    return {static_cast<std::byte *>(piece.iov_base) + offset_,
            std::min(len, piece.iov_len - offset_)};
}

void piece_cursor::advance(size_t len)
{
    offset_ += len;
    if (offset_ == pieces_[0].iov_len) {
        pieces_ = pieces_.subspan(1);
        offset_ = 0;
    }
}

void piece_cursor::skip(size_t len)
{
    while (len != 0) {
        size_t here = next(len).iov_len;
        advance(here);
        len -= here;
    }
}

void piece_cursor::take(size_t len, std::vector<iovec> &out, size_t first)
{
    while (len != 0) {
        iovec here = next(len);
        bool goes_on =
            out.size() > first &&
            static_cast<std::byte *>(out.back().iov_base) + out.back().iov_len == here.iov_base;
        if (goes_on)
            out.back().iov_len += here.iov_len;
        else if (here.iov_len != 0)
            out.push_back(here);
        advance(here.iov_len);
        len -= here.iov_len;
    }
}

void message_batch::begin(const send_request &request, const send_plan &plan)
{
    request_ = &request;
    plan_ = &plan;
    max_count_ = max_messages;
    clear();

    if (plan.own_length != 0) {
        next_own_ = piece_cursor(request.data);
        next_slot_ = plan.first;
        piece_cursor behind(request.data);
        behind.skip(plan.own_length * (plan.end - plan.first));
        shared_.clear();
        behind.take(plan.length - plan.own_length, shared_, 0);
        pieces_.reserve(max_pieces);
    }
    if (plan.spread != 0) {
        size_t each = request.control.size() + CMSG_SPACE(sizeof(uint64_t));
        max_count_ = std::clamp<size_t>(max_control / each, 1, max_messages);
        control_.resize(max_count_ * each);
    }
}

void message_batch::clear()
{
    count_ = 0;
    pieces_.clear();
}

bool message_batch::add(member &to)
{
    // The pieces must stay where they are
    if (count_ == max_count_ || max_pieces - pieces_.size() < max_messages + 1)
        return false;

    to_[count_] = &to;
    auto &message = messages_[count_];
    message = {};
    auto &msg = message.msg_hdr;
    msg.msg_name = &to.addr;
    msg.msg_namelen = to.addr_len;
    msg.msg_iov = const_cast<iovec *>(request_->data.data());
    msg.msg_iovlen = request_->data.size();
    msg.msg_control = const_cast<std::byte *>(request_->control.data());
    msg.msg_controllen = request_->control.size();
    if (plan_->own_length != 0)
        add_data(msg, to.slot);
    if (plan_->spread != 0)
        add_departure(msg, to.slot);
    count_++;
    return true;
}

// What is the member's own, and behind it what is shared.
void message_batch::add_data(msghdr &msg, size_t slot)
{
    const size_t first = pieces_.size();
    next_own_.skip(plan_->own_length * (slot - next_slot_));
    next_own_.take(plan_->own_length, pieces_, first);
    next_slot_ = slot + 1;
    piece_cursor(shared_).take(plan_->length - plan_->own_length, pieces_, first);
    msg.msg_iov = &pieces_[first];
    msg.msg_iovlen = pieces_.size() - first;
}

void message_batch::add_departure(msghdr &msg, size_t slot)
{
    const auto others = request_->control;
    const size_t each = others.size() + CMSG_SPACE(sizeof(uint64_t));
    auto own = std::span(control_).subspan(count_ * each, each);
    std::copy(others.begin(), others.end(), own.begin());

    uint64_t time = plan_->departure(slot);
    cmsghdr cmsg{};
    cmsg.cmsg_level = SOL_SOCKET;
    cmsg.cmsg_type = SCM_TXTIME;
    cmsg.cmsg_len = CMSG_LEN(sizeof(time));
    auto last = own.subspan(others.size());
    std::memcpy(last.data(), &cmsg, sizeof(cmsg));
    std::memcpy(last.subspan(CMSG_LEN(0)).data(), &time, sizeof(time));
    msg.msg_control = own.data();
    msg.msg_controllen = own.size();
}

} // namespace groupcast::internal
