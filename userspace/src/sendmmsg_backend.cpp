// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// Groups on any kernel: a loop over sendmmsg(2), with the results that the
// kernel's own groups would give.
//
// Locks, from the outside in: change_lock_ makes changes of the group one after
// another; the error queue's is held while that is emptied; then that of the
// group, or batch_lock_.

#include "backend.hpp"
#include "control_check.hpp"
#include "departure_clock.hpp"
#include "error_queue.hpp"
#include "group_send.hpp"
#include "member_table.hpp"
#include "message_batch.hpp"
#include "send_buffer.hpp"
#include "send_request.hpp"
#include "shared_group.hpp"
#include "socket_option.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>

namespace groupcast::internal {
namespace {

class sendmmsg_backend final : public backend {
public:
    sendmmsg_backend(int fd, sa_family_t family);
    sendmmsg_backend(const sendmmsg_backend &) = delete;
    sendmmsg_backend &operator=(const sendmmsg_backend &) = delete;
    ~sendmmsg_backend() override;

    groupcast_backend kind() const override { return GROUPCAST_SENDMMSG; }
    int set(std::span<const std::byte> packed) override;
    int add(std::span<const std::byte> packed) override;
    int del(std::span<const std::byte> packed) override;
    int set_flags(uint32_t flags) override;
    int flags(uint32_t &out) const override;
    int get(void *addrs, size_t *len) const override;
    ssize_t send(const void *data, size_t len, int flags) override;
    ssize_t sendmsg(const msghdr &msg, int flags) override;
    int stat(udp_grpstat &totals, std::span<udp_grpstat_member> records) override;

private:
    int check_socket(bool leaving) const;
    int dissolve();

    ssize_t send_plain(const msghdr &msg, int flags, bool group);
    ssize_t send_group(const msghdr &msg, int flags);
    int plan_send(send_plan &plan, const send_request &request, const version &group, int flags);
    int may_start(const send_plan &plan) const;
    std::unique_ptr<message_batch> take_batch();
    void give_batch(std::unique_ptr<message_batch> batch);

    const int fd_;
    const sa_family_t family_;
    shared_group group_;
    error_queue errors_;
    departure_clock clock_;
    std::atomic<uint32_t> flags_ = 0;

    // A datagram that a MSG_MORE began: what is sent next is a part of it
    std::atomic<bool> pending_ = false;

    std::mutex change_lock_;

    std::mutex batch_lock_;
    std::unique_ptr<message_batch> spare_batch_;
};

sendmmsg_backend::sendmmsg_backend(int fd, sa_family_t family)
    : fd_(fd), family_(family),
      errors_(fd, family, [this](const auto &dest, int error) { group_.count_icmp(dest, error); }),
      clock_(fd, family)
{}

sendmmsg_backend::~sendmmsg_backend()
{
    if (group_.has_members())
        errors_.stop();
}

/* Who is in the group */

// Can this socket have a group at all, as it is now?
int sendmmsg_backend::check_socket(bool leaving) const
{
    sockaddr_storage peer{};
    socklen_t len = sizeof(peer);
    // Nobody kept the program from connecting a socket that had a group: it
    // must be able to get rid of it.
    if (getpeername(fd_, reinterpret_cast<sockaddr *>(&peer), &len) == 0) {
        if (!leaving || !group_.has_members())
            return -EISCONN;
    } else if (errno != ENOTCONN) {
        return -errno;
    }
    for (int name : {UDP_CORK, UDP_ENCAP}) {
        int value = get_option(fd_, IPPROTO_UDP, name);
        if (value != 0)
            return value < 0 ? value : -EBUSY;
    }
    return pending_ ? -EBUSY : 0;
}

int sendmmsg_backend::set(std::span<const std::byte> packed)
{
    if (packed.empty())
        return dissolve();
    std::vector<udp_group_addr> addrs;
    int err = read_addresses(packed, family_, addrs);
    if (err != 0)
        return err;
    member_table next;
    err = next.add(make_members(addrs));
    if (err != 0)
        return err;

    std::lock_guard change(change_lock_);
    err = check_socket(false);
    if (err != 0)
        return err;
    if (!group_.has_members())
        err = errors_.start();
    else
        errors_.drain(); // they are the old members'
    if (err != 0)
        return err;
    group_.replace(next);
    return 0;
}

int sendmmsg_backend::dissolve()
{
    member_table none;
    std::lock_guard change(change_lock_);
    int err = check_socket(true);
    if (err != 0 || !group_.has_members())
        return err;
    errors_.drain();
    group_.replace(none);
    errors_.stop();
    return 0;
}

int sendmmsg_backend::add(std::span<const std::byte> packed)
{
    if (packed.empty())
        return -EINVAL;
    std::vector<udp_group_addr> addrs;
    int err = read_addresses(packed, family_, addrs);
    if (err != 0)
        return err;
    auto joining = make_members(addrs);

    std::lock_guard change(change_lock_);
    err = check_socket(false);
    if (err != 0)
        return err;
    const bool had_members = group_.has_members();
    if (!had_members)
        err = errors_.start();
    if (err != 0)
        return err;
    try {
        err = group_.add(joining);
    } catch (const std::bad_alloc &) {
        err = -ENOMEM;
    }
    if (err != 0 && !had_members)
        errors_.stop();
    return err;
}

int sendmmsg_backend::del(std::span<const std::byte> packed)
{
    if (packed.empty())
        return -EINVAL;
    std::vector<udp_group_addr> addrs;
    int err = read_addresses(packed, family_, addrs);
    if (err != 0)
        return err;

    std::lock_guard change(change_lock_);
    err = check_socket(true);
    if (err != 0)
        return err;
    if (!group_.has_members())
        return -EADDRNOTAVAIL;
    errors_.drain(); // some of them are of those who leave
    err = group_.remove(addrs);
    if (!group_.has_members())
        errors_.stop();
    return err;
}

int sendmmsg_backend::set_flags(uint32_t flags)
{
    if ((flags & ~GRP_F_COUNT) != 0)
        return -EINVAL;
    flags_ = flags;
    return 0;
}

int sendmmsg_backend::flags(uint32_t &out) const
{
    out = flags_;
    return 0;
}

int sendmmsg_backend::get(void *addrs, size_t *len) const
{
    auto now = group_.hold();
    size_t need = 0;
    for (const auto &m : now->slots)
        need += m ? m->addr_len : 0;
    const size_t room = std::exchange(*len, need);
    if (room < need)
        return -ERANGE;
    if (need == 0)
        return 0;
    if (addrs == nullptr)
        return -EFAULT;
    auto *to = static_cast<std::byte *>(addrs);
    for (const auto &m : now->slots) {
        if (!m)
            continue;
        std::memcpy(to, &m->addr, m->addr_len);
        to += m->addr_len;
    }
    return 0;
}

/* What became of it */

int sendmmsg_backend::stat(udp_grpstat &totals, std::span<udp_grpstat_member> records)
{
    errors_.drain();
    auto now = group_.hold(totals);
    size_t count = 0;
    for (const auto &m : now->slots) {
        if (count == records.size())
            break;
        if (m)
            records[count++] = m->record();
    }
    totals.size = sizeof(totals);
    totals.member_size = records.empty() ? 0 : sizeof(udp_grpstat_member);
    totals.records = static_cast<uint32_t>(count);
    return static_cast<int>(count);
}

/* Sending */

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
    const bool group = group_.has_members();
    const bool named = msg.msg_name != nullptr && msg.msg_namelen != 0;

    if (group && !named && pending_) {
        ssize_t sent = send_plain(msg, flags, true);
        if (sent != -EDESTADDRREQ)
            return sent;
        // It is gone: the program has sent it behind our back
    }
    return group && !named ? send_group(msg, flags) : send_plain(msg, flags, group);
}

// One datagram, to where the message or the socket says.
ssize_t sendmmsg_backend::send_plain(const msghdr &msg, int flags, bool group)
{
    if (group)
        errors_.drain();
    for (int retries = 0;; retries++) {
        uint64_t seen = errors_.seen();
        ssize_t sent = ::sendmsg(fd_, &msg, flags);
        int err = sent < 0 ? errno : 0;
        if (group && err != 0 && errors_.was_earlier(err, seen, retries))
            continue;
        pending_ = err == 0 && (flags & MSG_MORE) != 0;
        return err != 0 ? -err : sent;
    }
}

ssize_t sendmmsg_backend::send_group(const msghdr &msg, int flags)
{
    // A datagram in the making belongs to one destination
    if ((flags & (MSG_OOB | MSG_MORE)) != 0)
        return -EOPNOTSUPP;
    int corked = get_option(fd_, IPPROTO_UDP, UDP_CORK);
    if (corked != 0)
        return corked < 0 ? corked : -EOPNOTSUPP;
    int status = fcntl(fd_, F_GETFL);
    if (status < 0)
        return -errno;
    const bool may_wait = (flags & MSG_DONTWAIT) == 0 && (status & O_NONBLOCK) == 0;
    const bool counts = (flags_ & GRP_F_COUNT) != 0;

    send_request request;
    int err = request.read(msg, family_);
    if (err == 0)
        err = -control_error(fd_, family_, request.control);
    if (err != 0)
        return err;
    send_plan plan;
    auto group = group_.hold(request.skip, plan.skip);
    if (group->members == 0)
        return -EDESTADDRREQ; // dissolved just now
    err = plan_send(plan, request, *group, flags);
    if (err != 0)
        return err;
    if (plan.first == plan.end)
        return counts ? 0 : -EDESTADDRREQ;
    if (!may_wait && !counts)
        err = may_start(plan);
    if (err != 0)
        return err;

    errors_.drain();
    group_send send(fd_, errors_, request, plan, *group, flags, may_wait);
    auto batch = take_batch();
    send.run(*batch);
    give_batch(std::move(batch));
    if (send.passed() == 0)
        return -send.error();
    auto done = send.done();
    // Who counts slots goes on with those that were not passed
    if (counts)
        done.unreached = 0;
    group_.count_send(done);
    return static_cast<ssize_t>(counts ? send.passed() : request.length);
}

int sendmmsg_backend::plan_send(send_plan &plan, const send_request &request, const version &group,
                                int flags)
{
    if (request.spread.value_or(0) != 0) {
        int err = clock_.now(plan.depart);
        if (err != 0)
            return err;
    }
    // As in the kernel, where what is a member's own is copied
    if (request.own && (flags & MSG_ZEROCOPY) != 0)
        return -EOPNOTSUPP;
    return plan.make(request, group);
}

// A send that may not wait starts only if there is room for all that it is for.
// Then a program that tries again at EAGAIN does not send to the first members
// twice.
int sendmmsg_backend::may_start(const send_plan &plan) const
{
    int room = send_buffer_has_room(fd_, family_, plan.members - plan.skip.size(), plan.length);
    if (room < 0)
        return room;
    return room != 0 ? 0 : -EAGAIN;
}

// Sends by several threads need one each; mostly there is one thread, and then
// one batch lasts.
std::unique_ptr<message_batch> sendmmsg_backend::take_batch()
{
    {
        std::lock_guard lock(batch_lock_);
        if (spare_batch_)
            return std::move(spare_batch_);
    }
    return std::make_unique<message_batch>();
}

void sendmmsg_backend::give_batch(std::unique_ptr<message_batch> batch)
{
    std::lock_guard lock(batch_lock_);
    spare_batch_.swap(batch); // what was there is freed after the lock
}

} // namespace

std::unique_ptr<backend> make_sendmmsg_backend(int fd, sa_family_t family)
{
    return std::make_unique<sendmmsg_backend>(fd, family);
}

} // namespace groupcast::internal
