// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// Groups on any kernel: a loop over sendmmsg(2), with the results that the
// kernel's own groups would give.
//
// Locks, from the outside in: change_lock_ makes changes of the group one after
// another; errors_lock_ is held while the error queue is emptied, so that who
// gets it knows that all that was taken before is counted; state_lock_ guards
// the pointer to the table, the totals and the spare batch, and no system call
// is made under it.

#include "backend.hpp"
#include "error_queue.hpp"
#include "member_table.hpp"
#include "send_buffer.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>

namespace groupcast::internal {
namespace {

// Linux takes no more in one call: UIO_MAXIOV
constexpr size_t max_batch = 1024;
constexpr size_t max_iov = 1024;
constexpr size_t max_len = 0xFFFF;

// A send that meets an earlier datagram's ICMP error is tried again. More than
// once only if errors keep coming back meanwhile, and not for ever then.
constexpr int max_retries = 16;

// With no data and with MSG_CONFIRM, a send that looks at everything and then
// sends nothing. The C library calls this bit MSG_PROXY.
constexpr int msg_probe = 0x10;

using batch = std::array<mmsghdr, max_batch>;

struct send_result {
    uint64_t sent = 0;
    uint64_t failed = 0;
    int err = 0; // why it was not all

    uint64_t passed() const { return sent + failed; }
};

class sendmmsg_backend final : public backend {
public:
    explicit sendmmsg_backend(int fd) : fd_(fd) {}
    sendmmsg_backend(const sendmmsg_backend &) = delete;
    sendmmsg_backend &operator=(const sendmmsg_backend &) = delete;
    ~sendmmsg_backend() override;

    groupcast_backend kind() const override { return GROUPCAST_SENDMMSG; }
    int set(std::span<const std::byte> packed) override;
    int get(void *addrs, size_t *len) const override;
    ssize_t send(const void *data, size_t len, int flags) override;
    ssize_t sendmsg(const msghdr &msg, int flags) override;
    int stat(udp_grpstat &totals, std::span<udp_grpstat_member> records) override;

private:
    using table_ptr = std::shared_ptr<member_table>;

    table_ptr table() const;
    int check_socket(bool dissolve) const;
    int option(int level, int name) const;
    int start_errors();
    void stop_errors();
    void drain_errors();
    bool was_earlier_error(int err, uint64_t seen_before, int retries);

    ssize_t send_plain(const msghdr &msg, int flags, bool group);
    ssize_t send_group(member_table &table, const msghdr &msg, int flags);
    int may_start(size_t members, size_t len, int flags) const;
    bool is_final(int err, const send_result &result, const msghdr &msg) const;
    send_result send_members(member_table &table, const msghdr &msg, int flags);
    bool send_batch(std::span<mmsghdr> messages, member_table &table, size_t first, int flags,
                    send_result &result);
    std::unique_ptr<batch> take_batch();
    void give_batch(std::unique_ptr<batch> messages);
    void add_totals(const member_table &table, const send_result &result);

    const int fd_;

    std::mutex change_lock_;
    bool recverr_before_ = false; // IP_RECVERR as the program had it

    std::mutex errors_lock_;
    std::atomic<uint64_t> errors_seen_ = 0; // ICMP errors taken from the queue

    // A datagram that a MSG_MORE began: what is sent next is a part of it
    std::atomic<bool> pending_ = false;

    mutable std::mutex state_lock_;
    table_ptr table_; // null while there are no members
    uint64_t generation_ = 0;
    udp_grpstat totals_{};
    std::unique_ptr<batch> spare_batch_;
};

sendmmsg_backend::~sendmmsg_backend()
{
    if (table_)
        stop_errors();
}

sendmmsg_backend::table_ptr sendmmsg_backend::table() const
{
    std::lock_guard lock(state_lock_);
    return table_;
}

// An option that is an int, or a negative errno.
int sendmmsg_backend::option(int level, int name) const
{
    int value = 0;
    socklen_t len = sizeof(value);
    return getsockopt(fd_, level, name, &value, &len) < 0 ? -errno : value;
}

/* Who is in the group */

// Can this socket have a group at all, as it is now?
int sendmmsg_backend::check_socket(bool dissolve) const
{
    sockaddr_storage peer{};
    socklen_t len = sizeof(peer);
    // Nobody kept the program from connecting a socket that had a group: it
    // must be able to get rid of it.
    if (getpeername(fd_, reinterpret_cast<sockaddr *>(&peer), &len) == 0) {
        if (!dissolve || !table())
            return -EISCONN;
    } else if (errno != ENOTCONN) {
        return -errno;
    }
    for (int name : {UDP_CORK, UDP_ENCAP}) {
        int value = option(IPPROTO_UDP, name);
        if (value != 0)
            return value < 0 ? value : -EBUSY;
    }
    return pending_ ? -EBUSY : 0;
}

// From now on ICMP errors go to the error queue, with the member's address.
int sendmmsg_backend::start_errors()
{
    int before = option(IPPROTO_IP, IP_RECVERR);
    if (before < 0)
        return before;
    int on = 1;
    if (setsockopt(fd_, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) < 0)
        return -errno;
    recverr_before_ = before != 0;
    return 0;
}

void sendmmsg_backend::stop_errors()
{
    drain_errors();
    if (!recverr_before_) {
        int off = 0;
        setsockopt(fd_, IPPROTO_IP, IP_RECVERR, &off, sizeof(off));
    }
    // An error that found the queue full is still waiting for the next call on
    // the socket, which has nothing to do with the group any more.
    option(SOL_SOCKET, SO_ERROR);
}

int sendmmsg_backend::set(std::span<const std::byte> packed)
{
    table_ptr next;
    if (!packed.empty()) {
        int err = member_table::parse(packed, next);
        if (err != 0)
            return err;
    }

    std::lock_guard change(change_lock_);
    int err = check_socket(!next);
    if (err != 0)
        return err;

    const bool had = table() != nullptr;
    if (!had && !next)
        return 0;
    if (!had) {
        err = start_errors();
        if (err != 0)
            return err;
    } else {
        drain_errors(); // they are the old members'
    }
    {
        std::lock_guard lock(state_lock_);
        generation_++;
        if (next)
            next->generation = generation_;
        table_.swap(next); // the old one is freed after the lock
    }
    if (packed.empty())
        stop_errors();
    return 0;
}

int sendmmsg_backend::get(void *addrs, size_t *len) const
{
    auto now = table();
    size_t room = *len;
    size_t need = now ? now->addrs().size_bytes() : 0;
    *len = need;
    if (room < need)
        return -ERANGE;
    if (need == 0)
        return 0;
    if (addrs == nullptr)
        return -EFAULT;
    std::memcpy(addrs, now->addrs().data(), need);
    return 0;
}

/* What ICMP says */

void sendmmsg_backend::drain_errors()
{
    std::lock_guard errors(errors_lock_);
    queued_error error{};
    // Bounded, whatever rate the network sends them at
    for (int n = 0; n < UDP_GROUP_MAX_MEMBERS && take_queued_error(fd_, error); n++) {
        if (!error.icmp)
            continue;
        errors_seen_++;
        std::lock_guard lock(state_lock_);
        auto *member = table_ ? table_->find(error.dest) : nullptr;
        if (member == nullptr)
            continue;
        member->icmp++;
        member->error = error.error;
        totals_.icmp++;
    }
}

// A send fails with the error of an earlier datagram, if one came back, and so
// uses it up. Was it that, and is it worth another try?
bool sendmmsg_backend::was_earlier_error(int err, uint64_t seen_before, int retries)
{
    if (!is_icmp_errno(err) || retries >= max_retries)
        return false;
    drain_errors();
    // One that found the error queue full is not seen: so the first try never
    // counts.
    return retries == 0 || errors_seen_ != seen_before;
}

/* Sending */

// The length of a message's data, or one that is too long.
size_t data_length(const msghdr &msg)
{
    size_t len = 0;
    for (size_t i = 0; i < msg.msg_iovlen; i++) {
        if (msg.msg_iov[i].iov_len > max_len - len)
            return max_len + 1;
        len += msg.msg_iov[i].iov_len;
    }
    return len;
}

ssize_t sendmmsg_backend::send(const void *data, size_t len, int flags)
{
    iovec iov{const_cast<void *>(data), len};
    msghdr msg{};
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    return sendmsg(msg, flags);
}

ssize_t sendmmsg_backend::sendmsg(const msghdr &msg, int flags)
{
    auto now = table();
    const bool named = msg.msg_name != nullptr && msg.msg_namelen != 0;

    if (now && !named && pending_) {
        ssize_t sent = send_plain(msg, flags, true);
        if (sent != -EDESTADDRREQ)
            return sent;
        // It is gone: the program has sent it behind our back
    }
    if (!now || named)
        return send_plain(msg, flags, now != nullptr);
    return send_group(*now, msg, flags);
}

// One datagram, to where the message or the socket says.
ssize_t sendmmsg_backend::send_plain(const msghdr &msg, int flags, bool group)
{
    if (group)
        drain_errors();
    for (int retries = 0;; retries++) {
        uint64_t seen = errors_seen_;
        ssize_t sent = ::sendmsg(fd_, &msg, flags);
        int err = sent < 0 ? errno : 0;
        if (group && err != 0 && was_earlier_error(err, seen, retries))
            continue;
        pending_ = err == 0 && (flags & MSG_MORE) != 0;
        return err != 0 ? -err : sent;
    }
}

ssize_t sendmmsg_backend::send_group(member_table &table, const msghdr &msg, int flags)
{
    if (msg.msg_iovlen > max_iov)
        return -EMSGSIZE;
    size_t len = data_length(msg);
    if (len > max_len)
        return -EMSGSIZE;
    // A datagram in the making belongs to one destination
    if ((flags & (MSG_OOB | MSG_MORE)) != 0)
        return -EOPNOTSUPP;
    int corked = option(IPPROTO_UDP, UDP_CORK);
    if (corked != 0)
        return corked < 0 ? corked : -EOPNOTSUPP;
    int err = may_start(table.size(), len, flags);
    if (err != 0)
        return err;

    drain_errors();
    send_result result = send_members(table, msg, flags);
    if (result.passed() == 0)
        return -result.err;
    add_totals(table, result);
    return static_cast<ssize_t>(len);
}

// A send that may not wait starts only if there is room for all that it is for.
// Then a program that tries again at EAGAIN does not send to the first members
// twice.
int sendmmsg_backend::may_start(size_t members, size_t len, int flags) const
{
    int status = fcntl(fd_, F_GETFL);
    if (status < 0)
        return -errno;
    if ((flags & MSG_DONTWAIT) == 0 && (status & O_NONBLOCK) == 0)
        return 0;
    int room = send_buffer_has_room(fd_, members, len);
    if (room < 0)
        return room;
    return room != 0 ? 0 : -EAGAIN;
}

send_result sendmmsg_backend::send_members(member_table &table, const msghdr &msg, int flags)
{
    auto messages = take_batch();
    auto addrs = table.addrs();
    send_result result;

    mmsghdr common{};
    common.msg_hdr.msg_namelen = sizeof(sockaddr_in);
    common.msg_hdr.msg_iov = msg.msg_iov;
    common.msg_hdr.msg_iovlen = msg.msg_iovlen;
    common.msg_hdr.msg_control = msg.msg_control;
    common.msg_hdr.msg_controllen = msg.msg_controllen;

    for (size_t first = 0; first < addrs.size(); first += max_batch) {
        size_t count = std::min(max_batch, addrs.size() - first);
        for (size_t i = 0; i < count; i++) {
            (*messages)[i] = common;
            (*messages)[i].msg_hdr.msg_name = &addrs[first + i];
        }
        if (!send_batch({messages->data(), count}, table, first, flags, result))
            break;
    }
    give_batch(std::move(messages));
    return result;
}

// False if the send is over.
bool sendmmsg_backend::send_batch(std::span<mmsghdr> messages, member_table &table, size_t first,
                                  int flags, send_result &result)
{
    int retries = 0;
    while (!messages.empty()) {
        uint64_t seen = errors_seen_;
        int done = sendmmsg(fd_, messages.data(), static_cast<unsigned>(messages.size()), flags);
        // Why it stopped short is not told: the next call meets it again, and
        // if it does not, it was an earlier datagram's error.
        if (done > 0) {
            for (int i = 0; i < done; i++)
                table.counters(first++).sent++;
            result.sent += static_cast<uint64_t>(done);
            messages = messages.subspan(static_cast<size_t>(done));
            retries = 0;
            continue;
        }

        int err = done < 0 ? errno : EIO;
        if (is_final(err, result, messages[0].msg_hdr)) {
            result.err = err;
            return false;
        }
        if (was_earlier_error(err, seen, retries)) {
            retries++;
            continue;
        }
        auto &member = table.counters(first++);
        member.failed++;
        member.error = err;
        result.failed++;
        messages = messages.subspan(1);
        retries = 0;
    }
    return true;
}

// Does an error end the send, or is it the member's alone?
bool sendmmsg_backend::is_final(int err, const send_result &result, const msghdr &msg) const
{
    switch (err) {
    case EAGAIN:   // no room, and no time left to wait for it
    case EINTR:    // a signal
    case EPIPE:    // shut down
    case EFAULT:   // the data cannot be read
    case EBADF:    // closed meanwhile
    case ENOTSOCK: // and opened as something else
        return true;
    case EINVAL:
        break;
    default:
        return false;
    }

    // A control message that is wrong is wrong for every member, so it shows at
    // the first. It is to blame if the member can be sent to without it.
    if (result.passed() != 0 || msg.msg_controllen == 0)
        return false;
    msghdr probe{};
    probe.msg_name = msg.msg_name;
    probe.msg_namelen = msg.msg_namelen;
    const int flags = MSG_CONFIRM | MSG_DONTWAIT | msg_probe;
    if (::sendmsg(fd_, &probe, flags) < 0)
        return false;
    probe.msg_control = msg.msg_control;
    probe.msg_controllen = msg.msg_controllen;
    return ::sendmsg(fd_, &probe, flags) < 0 && errno == EINVAL;
}

// Sends by several threads need one each; mostly there is one thread, and then
// one batch lasts.
std::unique_ptr<batch> sendmmsg_backend::take_batch()
{
    {
        std::lock_guard lock(state_lock_);
        if (spare_batch_)
            return std::move(spare_batch_);
    }
    return std::make_unique<batch>();
}

void sendmmsg_backend::give_batch(std::unique_ptr<batch> messages)
{
    std::lock_guard lock(state_lock_);
    spare_batch_.swap(messages); // what was there is freed after the lock
}

void sendmmsg_backend::add_totals(const member_table &table, const send_result &result)
{
    std::lock_guard lock(state_lock_);
    totals_.sends++;
    totals_.sent += result.sent;
    totals_.failed += result.failed;
    totals_.unreached += table.size() - result.passed();
}

/* What became of it */

int sendmmsg_backend::stat(udp_grpstat &totals, std::span<udp_grpstat_member> records)
{
    drain_errors();

    table_ptr now;
    {
        std::lock_guard lock(state_lock_);
        now = table_;
        totals = totals_;
        totals.generation = generation_;
    }

    size_t count = now ? std::min(now->size(), records.size()) : 0;
    for (size_t slot = 0; slot < count; slot++)
        records[slot] = now->record(slot);
    totals.size = sizeof(totals);
    totals.member_size = records.empty() ? 0 : sizeof(udp_grpstat_member);
    totals.records = static_cast<uint32_t>(count);
    totals.members = totals.slots = now ? static_cast<uint32_t>(now->size()) : 0;
    return static_cast<int>(count);
}

} // namespace

std::unique_ptr<backend> make_sendmmsg_backend(int fd)
{
    return std::make_unique<sendmmsg_backend>(fd);
}

} // namespace groupcast::internal
