// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "group_send.hpp"
#include "departure_clock.hpp"

#include <cerrno>

namespace groupcast::internal {

udp_grpstat group_send::done() const
{
    udp_grpstat done{};
    done.sent = sent_;
    done.failed = failed_;
    done.skipped = skipped_;
    done.holes = holes_;
    done.unreached = plan_.members - sent_ - failed_ - skipped_;
    return done;
}

// Passes slots up to this one, in which there are only holes and members that
// are skipped.
void group_send::pass_nobody(size_t slot)
{
    for (; next_ < slot; next_++) {
        auto *m = group_.slots[next_].get();
        if (m == nullptr) {
            holes_++;
            continue;
        }
        m->skipped++;
        skipped_++;
        next_skip_++;
    }
}

void group_send::count(member &to, int err)
{
    pass_nobody(to.slot);
    next_++;
    if (err == 0) {
        to.sent++;
        sent_++;
        return;
    }
    to.failed++;
    to.error = err;
    failed_++;
}

// Does an error end the send, or is it the member's alone?
bool group_send::is_final(int err, const member &to, const mmsghdr &message) const
{
    switch (err) {
    case EAGAIN:   // no room, and no time left to wait for it
    case EINTR:    // a signal
    case EPIPE:    // shut down
    case EFAULT:   // the data cannot be read
    case EBADF:    // closed meanwhile
    case ENOTSOCK: // and opened as something else
        return true;
    case EINVAL: {
        // A control message that is wrong is wrong for every member, so it
        // shows at the first.
        const auto &msg = message.msg_hdr;
        return sent_ + failed_ == 0 &&
               is_control_invalid(
                   fd_, to, {static_cast<const std::byte *>(msg.msg_control), msg.msg_controllen});
    }
    default:
        return false;
    }
}

// False if the send is over.
bool group_send::send_batch(message_batch &batch)
{
    auto messages = batch.messages();
    size_t at = 0;
    int retries = 0;
    while (at < messages.size()) {
        auto left = messages.subspan(at);
        uint64_t seen = errors_.seen();
        int done = sendmmsg(fd_, left.data(), static_cast<unsigned>(left.size()), flags_);
        // Why it stopped short is not told: the next call meets it again, and
        // if it does not, it was an earlier datagram's error.
        if (done > 0) {
            for (int i = 0; i < done; i++)
                count(batch.to(at++), 0);
            retries = 0;
            continue;
        }

        int err = done < 0 ? errno : EIO;
        if (is_final(err, batch.to(at), left[0])) {
            error_ = err;
            // Nobody takes no room; but who waits for it does so at any slot
            if (err == EAGAIN && !may_wait_)
                pass_nobody(batch.to(at).slot);
            return false;
        }
        if (errors_.was_earlier(err, seen, retries)) {
            retries++;
            continue;
        }
        count(batch.to(at++), err);
        retries = 0;
    }
    return true;
}

void group_send::run(message_batch &batch)
{
    batch.begin(request_, plan_);
    size_t skip = 0;
    size_t slot = plan_.first;
    bool goes_on = true;
    while (goes_on && slot < plan_.end) {
        batch.clear();
        for (; slot < plan_.end; slot++) {
            auto *m = group_.slots[slot].get();
            if (skip < plan_.skip.size() && plan_.skip[skip] == slot)
                skip++;
            else if (m != nullptr && !batch.add(*m))
                break;
        }
        goes_on = send_batch(batch);
        if (goes_on)
            pass_nobody(slot);
    }
}

} // namespace groupcast::internal
