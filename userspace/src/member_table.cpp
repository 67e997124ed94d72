// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "member_table.hpp"

#include <algorithm>
#include <cerrno>

namespace groupcast::internal {

udp_grpstat_member member::record() const
{
    udp_grpstat_member record{};
    record.slot = slot;
    record.error = error;
    record.sent = sent;
    record.failed = failed;
    record.skipped = skipped;
    record.icmp = icmp;
    record.addr = addr;
    return record;
}

member_list make_members(std::span<const udp_group_addr> addrs)
{
    member_list members;
    members.reserve(addrs.size());
    for (const auto &addr : addrs)
        members.push_back(std::make_shared<member>(addr));
    return members;
}

size_t version::members_between(size_t first, size_t end) const
{
    if (first == 0 && end == slots.size())
        return members;
    auto is_member = [](const member_ptr &m) { return m != nullptr; };
    return static_cast<size_t>(std::count_if(slots.begin() + static_cast<ptrdiff_t>(first),
                                             slots.begin() + static_cast<ptrdiff_t>(end),
                                             is_member));
}

version &member_table::writable()
{
    if (now_.use_count() > 1)
        now_ = std::make_shared<version>(*now_);
    return *now_;
}

// What is left to do when nothing can fail any more.
void member_table::join(const member_ptr &m)
{
    m->slot = free_.lowest();
    free_.erase(m->slot);
    if (m->slot == now_->slots.size())
        now_->slots.push_back(m);
    else
        now_->slots[m->slot] = m;
    now_->members++;
}

int member_table::add(const member_list &joining)
{
    if (joining.size() > UDP_GROUP_MAX_MEMBERS - now_->members)
        return -ENOBUFS;

    size_t known = 0;
    auto forget = [&] {
        for (const auto &m : std::span(joining).first(known))
            index_.erase(m->key);
    };
    try {
        auto &slots = writable().slots;
        if (slots.capacity() - slots.size() < joining.size())
            slots.reserve(std::max(slots.size() + joining.size(), 2 * slots.size()));
        for (const auto &m : joining) {
            const bool is_destination = has_port(m->addr);
            if (!is_destination || !index_.emplace(m->key, m.get()).second) {
                forget();
                return is_destination ? -EADDRINUSE : -EINVAL;
            }
            known++;
        }
    } catch (...) {
        forget();
        throw;
    }
    for (const auto &m : joining)
        join(m);
    return 0;
}

void member_table::leave(const member &m)
{
    auto &slots = now_->slots;
    free_.insert(m.slot);
    slots[m.slot].reset(); // m is gone now
    now_->members--;
    while (!slots.empty() && !slots.back())
        slots.pop_back();
}

int member_table::remove(std::span<const udp_group_addr> leaving)
{
    if (leaving.size() > UDP_GROUP_MAX_MEMBERS)
        return -ENOBUFS;
    if (leaving.size() > now_->members)
        return -EADDRNOTAVAIL;
    std::vector<index_map::node_type> left;
    left.reserve(leaving.size());
    writable();
    for (const auto &addr : leaving) {
        address_key key(addr);
        auto node = index_.extract(key);
        // See find(); but one that has left here was meant, and is there no more
        if (node.empty() && key.has_scope() &&
            std::ranges::none_of(left, [&](const auto &l) { return l.key() == key; })) {
            key.forget_scope();
            node = index_.extract(key);
        }
        if (node.empty()) {
            // They had room before, so nothing can fail
            for (auto &back : left)
                index_.insert(std::move(back));
            return has_port(addr) ? -EADDRNOTAVAIL : -EINVAL;
        }
        left.push_back(std::move(node));
    }
    for (const auto &node : left)
        leave(*node.mapped());
    return 0;
}

member *member_table::find(address_key key) const
{
    auto it = index_.find(key);
    // A link-local member may leave it to the socket which link that is
    if (it == index_.end() && key.has_scope()) {
        key.forget_scope();
        it = index_.find(key);
    }
    return it != index_.end() ? it->second : nullptr;
}

} // namespace groupcast::internal
