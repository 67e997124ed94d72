// SPDX-License-Identifier: GPL-2.0-only
// What cannot be seen from outside on every host: the parts of the sendmmsg
// backend by themselves.

#include "../../userspace/src/message_batch.hpp"
#include "../../userspace/src/shared_group.hpp"
#include "../../userspace/src/slot_set.hpp"
#include "support.hpp"

#include <memory>
#include <random>
#include <set>
#include <unordered_set>

namespace library_test {
namespace {

using namespace groupcast::internal;

std::vector<udp_group_addr> any_addresses(size_t n)
{
    std::vector<udp_group_addr> addrs(n);
    for (size_t i = 0; i < n; i++)
        addrs[i].in = many(n)[i];
    return addrs;
}

TEST(Inside, SlotSetKnowsItsLowest)
{
    auto set = std::make_unique<slot_set>();
    for (uint32_t i = 0; i < UDP_GROUP_MAX_MEMBERS; i++) {
        ASSERT_EQ(set->lowest(), i);
        set->erase(i);
    }
    std::mt19937 random(1);
    std::set<uint32_t> model;
    for (int i = 0; i < 20000; i++) {
        uint32_t slot = random() % UDP_GROUP_MAX_MEMBERS;
        if (random() % 3 != 0) {
            set->insert(slot);
            model.insert(slot);
        } else if (!model.empty()) {
            slot = *model.begin();
            set->erase(slot);
            model.erase(slot);
        }
        if (!model.empty()) {
            ASSERT_EQ(set->lowest(), *model.begin());
        }
    }
}

// A change leaves alone what a send holds, and copies nothing otherwise.
TEST(Inside, HeldVersionDoesNotChange)
{
    auto addrs = any_addresses(4);
    shared_group group;
    ASSERT_EQ(group.add(make_members(std::span(addrs).first(3))), 0);
    const version *first = nullptr;
    {
        auto held = group.hold();
        first = &*held;
        ASSERT_EQ(group.remove(std::span(addrs).first(1)), 0);
        ASSERT_EQ(group.add(make_members(std::span(addrs).last(1))), 0);
        EXPECT_EQ(held->generation, 1U);
        EXPECT_EQ(held->members, 3U);
        EXPECT_EQ(held->slots[0]->key, address_key(addrs[0]));
        auto now = group.hold();
        EXPECT_NE(&*now, first);
        EXPECT_EQ(now->generation, 3U);
        EXPECT_EQ(now->slots[0]->key, address_key(addrs[3]));
        EXPECT_EQ(now->slots[1], held->slots[1]) << "a member's counters are the same for all";
        first = &*now;
    }
    ASSERT_EQ(group.remove(std::span(addrs).last(1)), 0);
    EXPECT_EQ(&*group.hold(), first);
    EXPECT_EQ(group.hold()->generation, 4U);
}

TEST(Inside, HashSpreadsWhatLooksAlike)
{
    std::unordered_set<size_t> hashes;
    const auto addrs = any_addresses(2000);
    for (const auto &addr : addrs)
        hashes.insert(address_hash()(address_key(addr)) % 4096);
    EXPECT_GT(hashes.size(), 1200U) << "1580 are to be expected";
}

// The messages of a send to n members at slots 0, 1, ...
struct Batch {
    Batch(const msghdr &msg, size_t n, std::vector<uint32_t> skip = {})
    {
        auto addrs = any_addresses(n);
        EXPECT_EQ(group.add(make_members(addrs)), 0);
        EXPECT_EQ(request.read(msg, AF_INET), 0);
        plan.skip = std::move(skip);
        EXPECT_EQ(plan.make(request, *group.now()), 0);
    }
    void fill()
    {
        batch->begin(request, plan);
        for (const auto &m : group.now()->slots)
            if (m->slot >= plan.first && m->slot < plan.end && !batch->add(*m))
                break;
    }

    member_table group;
    send_request request;
    send_plan plan;
    std::unique_ptr<message_batch> batch = std::make_unique<message_batch>();
};

// A message with one control message of the group, and perhaps more.
struct Asked {
    template <typename T> void add(int level, int type, const T &value)
    {
        auto *at = control + msg.msg_controllen;
        cmsghdr cmsg{};
        cmsg.cmsg_level = level;
        cmsg.cmsg_type = type;
        cmsg.cmsg_len = CMSG_LEN(sizeof(value));
        std::memcpy(at, &cmsg, sizeof(cmsg));
        std::memcpy(at + CMSG_LEN(0), &value, sizeof(value));
        msg.msg_control = control;
        msg.msg_controllen += CMSG_SPACE(sizeof(value));
    }
    alignas(cmsghdr) char control[256] = {};
    msghdr msg{};
};

struct Control {
    std::vector<int> types;
    uint64_t departure = 0;
};

Control control_of(msghdr &msg)
{
    Control control;
    for (cmsghdr *c = CMSG_FIRSTHDR(&msg); c != nullptr; c = CMSG_NXTHDR(&msg, c)) {
        control.types.push_back(c->cmsg_type);
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TXTIME)
            std::memcpy(&control.departure, CMSG_DATA(c), sizeof(uint64_t));
    }
    return control;
}

TEST(Inside, DeparturesAreSpreadOverTheSlots)
{
    Asked asked;
    asked.add(IPPROTO_IP, IP_TTL, 7);
    asked.add(IPPROTO_UDP, UDP_GRP_SPREAD, uint64_t{1000});
    asked.add(IPPROTO_UDP, UDP_GRP_RANGE, udp_grp_range{2, 8});
    Batch b(asked.msg, 12);
    b.plan.depart = 5000000;
    b.fill();
    auto messages = b.batch->messages();
    ASSERT_EQ(messages.size(), 8U);
    for (size_t i = 0; i < 8; i++) {
        auto control = control_of(messages[i].msg_hdr);
        EXPECT_EQ(control.types, (std::vector<int>{IP_TTL, SCM_TXTIME}));
        EXPECT_EQ(control.departure, 5000000 + 125 * i);
    }
}

TEST(Inside, LongestSpreadOfTheLargestGroup)
{
    send_plan plan;
    plan.end = UDP_GROUP_MAX_MEMBERS;
    plan.spread = UDP_GROUP_MAX_SPREAD;
    plan.depart = 7;
    EXPECT_EQ(plan.departure(UDP_GROUP_MAX_MEMBERS - 1),
              7 + UDP_GROUP_MAX_SPREAD - UDP_GROUP_MAX_SPREAD / UDP_GROUP_MAX_MEMBERS - 1);
}

// However many pieces a message has, they stay where they are until it is sent.
TEST(Inside, BatchIsFullBeforeItsPiecesMove)
{
    std::vector<char> bytes(4000, 'x');
    std::vector<iovec> pieces;
    for (size_t i = 0; i < 500; i++)
        pieces.push_back({&bytes[8 * i], 4}); // with gaps, so that none are merged
    Asked asked;
    asked.add(IPPROTO_UDP, UDP_GRP_PRIVATE, udp_grp_private{0, 4, 0});
    asked.msg.msg_iov = pieces.data();
    asked.msg.msg_iovlen = pieces.size();
    Batch b(asked.msg, 100);
    b.fill();
    auto messages = b.batch->messages();
    EXPECT_GT(messages.size(), 10U);
    EXPECT_LT(messages.size(), 100U);
    for (size_t i = 0; i < messages.size(); i++) {
        const auto &msg = messages[i].msg_hdr;
        ASSERT_EQ(msg.msg_iovlen, 401U);
        EXPECT_EQ(msg.msg_iov[0].iov_base, pieces[i].iov_base);
        for (size_t j = 1; j < msg.msg_iovlen; j++)
            ASSERT_EQ(msg.msg_iov[j].iov_base, pieces[99 + j].iov_base);
    }
}

} // namespace
} // namespace library_test
