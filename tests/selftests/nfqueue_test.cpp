// SPDX-License-Identifier: GPL-2.0-only
// Members whose datagrams a program in user space decides about, among others of
// which it knows nothing.

#include "messages.hpp"
#include "nfqueue.hpp"
#include "policy.hpp"

namespace selftest {
namespace {

class Queued : public Policy {};

INSTANTIATE_TEST_SUITE_P(By, Queued, testing::Values(0, 65534),
                         [](const auto &user) { return user.param ? "Nobody" : "Root"; });

constexpr size_t headers = 28;
constexpr const char *hooks[] = {"output", "postrouting"};

// Those at 127.0.0.2 to 127.0.0.4 wait in the queue.
void queue_at(const std::string &hook)
{
    run("nft 'flush ruleset; add table ip t; add chain ip t c { type filter hook " + hook +
        " priority 0; }; add rule ip t c ip daddr 127.0.0.2-127.0.0.4 udp length > 0 queue num 7'");
}

std::string to(const NfQueue::Packet &p)
{
    in_addr a{};
    memcpy(&a, p.bytes.data() + 16, sizeof(a));
    return inet_ntoa(a);
}

// One is let go, one is dropped, one gets other data: as it would be with a
// sendto() to each. The sender is told of none, and nobody else waits.
TEST_P(Queued, AProgramDecidesAboutMembers)
{
    for (std::string hook : hooks)
        for (size_t size : {100ul, 1400ul}) {
            SCOPED_TRACE(hook + ", " + std::to_string(size) + " bytes");
            queue_at(hook);
            NfQueue queue(7);
            auto rs = neighbours(5);
            const std::string sent = pattern(size);
            std::string other = sent;
            other[size - 1] ^= 1;
            auto decide = [&] {
                for (int i = 2; i <= 4; i++) {
                    auto p = queue.next();
                    EXPECT_EQ(to(p), "127.0.0." + std::to_string(i));
                    EXPECT_TRUE(p.bytes.substr(headers) == sent) << "member " << i;
                    if (i == 2)
                        queue.decide(p, NF_ACCEPT);
                    if (i == 3)
                        queue.decide(p, NF_DROP);
                    // which needs no sum
                    if (i == 4)
                        queue.decide(p, NF_ACCEPT,
                                     p.bytes.substr(0, headers - 2) + std::string(2, '\0') + other);
                }
            };
            auto expect_decided = [&] {
                // nobody waits for what another waits for
                EXPECT_TRUE(rs[0].next() == sent);
                EXPECT_TRUE(rs[4].next() == sent);
                for (int i : {1, 2, 3})
                    EXPECT_TRUE(rs[i].empty()) << "member " << i;
                decide();
                EXPECT_TRUE(rs[1].next() == sent);
                EXPECT_TRUE(rs[3].next() == other);
                for (auto &r : rs)
                    EXPECT_TRUE(r.empty());
            };
            Sender s; // outlives the sender's process, which shares it
            ASSERT_EQ(s.set(addresses(rs)), 0);
            sender([&] {
                for (auto &r : rs)
                    EXPECT_EQ(s.send_to(sent, r.address()), static_cast<long>(size));
            });
            expect_decided();
            for (uint64_t sends = 1; sends <= 2; sends++) {
                sender([&] { EXPECT_EQ(s.send(sent), static_cast<long>(size)); });
                expect_decided();
                EXPECT_EQ(s.stat().totals.sent, sends * rs.size());
                EXPECT_EQ(s.stat().totals.failed, 0u);
            }
        }
}

// What waits there keeps its data and is charged to the socket, whatever is sent
// meanwhile, and after the socket is closed.
TEST_P(Queued, WhatWaitsStaysAsItIs)
{
    queue_at("output");
    NfQueue queue(7);
    auto rs = neighbours(5);
    constexpr int rounds = 5;
    auto sent = [](int round) { return std::string(1400, static_cast<char>('a' + round)); };
    sender([&] {
        Sender s;
        ASSERT_EQ(s.set(addresses(rs)), 0);
        for (int i = 0; i < rounds; i++)
            EXPECT_EQ(s.send(sent(i)), 1400);
        int charged = 0;
        ioctl(s.fd(), SIOCOUTQ, &charged);
        EXPECT_GE(charged, 3 * rounds * 1400);
    });
    std::vector<NfQueue::Packet> waiting;
    for (int i = 0; i < 3 * rounds; i++)
        waiting.push_back(queue.next());
    for (const auto &p : waiting)
        queue.decide(p, NF_ACCEPT);
    for (int i = 0; i < rounds; i++)
        for (auto &r : rs)
            EXPECT_TRUE(r.next() == sent(i)) << "round " << i;
}

// Without a program the queue drops, which sendto() calls a success.
TEST_P(Queued, NobodyDecides)
{
    queue_at("postrouting");
    auto rs = neighbours(5);
    sender([&] {
        Sender s;
        ASSERT_EQ(s.set(addresses(rs)), 0);
        for (auto &r : rs)
            EXPECT_EQ(s.send_to(data, r.address()), length);
        expect_received(rs, {0, -1, -1, -1, 0});
        EXPECT_EQ(s.send(data), length);
        expect_received(rs, {0, -1, -1, -1, 0});
        EXPECT_EQ(s.stat().totals.sent, rs.size());
    });
}

} // namespace
} // namespace selftest
