// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "shared_group.hpp"

namespace groupcast::internal {

held_version::~held_version()
{
    std::lock_guard lock(lock_);
    // If nobody else has it, it is freed after the lock
    if (group_.use_count() > 1)
        group_.reset();
}

bool shared_group::has_members() const
{
    std::lock_guard lock(lock_);
    return !table_.empty();
}

void shared_group::replace(member_table &next)
{
    std::lock_guard lock(lock_);
    next.number(++generation_);
    std::swap(table_, next);
}

int shared_group::add(const member_list &joining)
{
    std::lock_guard lock(lock_);
    int err = table_.add(joining);
    if (err == 0)
        table_.number(++generation_);
    return err;
}

int shared_group::remove(std::span<const udp_group_addr> leaving)
{
    std::lock_guard lock(lock_);
    int err = table_.remove(leaving);
    if (err == 0)
        table_.number(++generation_);
    return err;
}

held_version shared_group::hold() const
{
    std::lock_guard lock(lock_);
    return {lock_, table_.now()};
}

held_version shared_group::hold(std::span<const address_key> skip,
                                std::vector<uint32_t> &slots) const
{
    slots.reserve(skip.size());
    std::lock_guard lock(lock_);
    for (const auto &key : skip)
        if (const auto *m = table_.find(key))
            slots.push_back(m->slot);
    return {lock_, table_.now()};
}

held_version shared_group::hold(udp_grpstat &totals) const
{
    std::lock_guard lock(lock_);
    totals = totals_;
    totals.generation = generation_;
    totals.members = static_cast<uint32_t>(table_.now()->members);
    totals.slots = static_cast<uint32_t>(table_.now()->slots.size());
    return {lock_, table_.now()};
}

void shared_group::count_icmp(const udp_group_addr &dest, int error)
{
    std::lock_guard lock(lock_);
    auto *m = table_.find(address_key(dest));
    if (m == nullptr)
        return;
    m->icmp++;
    m->error = error;
    totals_.icmp++;
}

void shared_group::count_send(const udp_grpstat &done)
{
    std::lock_guard lock(lock_);
    totals_.sends++;
    totals_.sent += done.sent;
    totals_.failed += done.failed;
    totals_.skipped += done.skipped;
    totals_.holes += done.holes;
    totals_.unreached += done.unreached;
}

} // namespace groupcast::internal
