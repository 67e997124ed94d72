// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "group_send.hpp"

#include <poll.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace groupcast::internal {
namespace {

// How often one that waits for room finds it taken by others, or is woken by
// something else, before it leaves the wait to the kernel.
constexpr int max_tries = 16;

} // namespace

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
bool group_send::is_final(int err)
{
    switch (err) {
    case EAGAIN:   // no room, and no time left to wait for it
    case EINTR:    // a signal
    case EPIPE:    // shut down
    case EFAULT:   // the data cannot be read
    case EBADF:    // closed meanwhile
    case ENOTSOCK: // and opened as something else
        return true;
    default:
        return false;
    }
}

// What is left of the time that the whole send may wait, in the units of poll().
int group_send::time_left() const
{
    using namespace std::chrono;
    timeval limit{};
    socklen_t len = sizeof(limit);
    getsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, &len);
    const auto allowed = seconds(limit.tv_sec) + microseconds(limit.tv_usec);
    if (allowed == microseconds::zero())
        return -1;
    const auto left = ceil<milliseconds>(begun_ + allowed - steady_clock::now());
    return static_cast<int>(std::clamp<milliseconds::rep>(left.count(), 0, INT_MAX));
}

// Waits for room and sends one message then; returns what sendmmsg(2) does.
int group_send::wait_and_send(mmsghdr &message)
{
    // Who has sent nothing yet waits as in any call, which signals restart or not
    for (int tries = 0; passed() != 0 && tries < max_tries; tries++) {
        pollfd room{fd_, POLLOUT, 0};
        int ready = poll(&room, 1, time_left());
        if (ready == 0)
            errno = EAGAIN;
        if (ready <= 0)
            return -1;
        if ((room.revents & POLLERR) != 0)
            errors_.drain(); // it would wake the next wait, too
        int done = sendmmsg(fd_, &message, 1, flags_ | MSG_DONTWAIT);
        if (done >= 0 || errno != EAGAIN)
            return done;
    }
    return sendmmsg(fd_, &message, 1, flags_);
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
        int done =
            sendmmsg(fd_, left.data(), static_cast<unsigned>(left.size()), flags_ | MSG_DONTWAIT);
        if (done < 0 && errno == EAGAIN && may_wait_)
            done = wait_and_send(left[0]);
        // Why it stopped short is not told: the next call meets it again, and
        // if it does not, it was an earlier datagram's error.
        if (done > 0) {
            for (int i = 0; i < done; i++)
                count(batch.to(at++), 0);
            retries = 0;
            continue;
        }

        int err = done < 0 ? errno : EIO;
        if (is_final(err)) {
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
