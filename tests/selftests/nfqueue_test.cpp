// SPDX-License-Identifier: GPL-2.0-only
// Members whose datagrams a program in user space decides about, among others of
// which it knows nothing.

#include "families.hpp"
#include "nfqueue.hpp"
#include "policy.hpp"

namespace selftest {
namespace {

struct Reached {
    const char *name;
    int domain;
    uid_t user;
    bool is_ip6() const { return domain == AF_INET6; }
    std::string host(size_t i) const
    {
        return (is_ip6() ? "fd00::" : "127.0.0.") + std::to_string(i);
    }
    size_t headers() const { return is_ip6() ? 48 : 28; }
};

std::ostream &operator<<(std::ostream &out, const Reached &by) { return out << by.name; }

class Queued : public AsUser, public testing::WithParamInterface<Reached> {
protected:
    void SetUp() override
    {
        enable_ip6();
        for (size_t i = 1; i <= 5; i++) {
            if (GetParam().is_ip6())
                run("ip addr add " + GetParam().host(i) + "/128 dev lo nodad");
            rs_.emplace_back(either(GetParam().host(i), 0));
        }
    }
    // The second to the fourth wait in the queue.
    static void queue_at(const std::string &hook)
    {
        run("nft 'flush ruleset; add table inet t; add chain inet t c { type filter hook " + hook +
            " priority 0; }; add rule inet t c " + (GetParam().is_ip6() ? "ip6" : "ip") +
            " daddr " + GetParam().host(2) + "-" + GetParam().host(4) +
            " udp length > 0 queue num 7'");
    }
    static std::string to(const NfQueue::Packet &p)
    {
        char text[INET6_ADDRSTRLEN];
        return inet_ntop(GetParam().domain, p.bytes.data() + (GetParam().is_ip6() ? 24 : 16), text,
                         sizeof(text));
    }

    std::vector<Peer> rs_;

private:
    uid_t user() const override { return GetParam().user; }
};

INSTANTIATE_TEST_SUITE_P(By, Queued,
                         testing::Values(Reached{"Root", AF_INET, 0},
                                         Reached{"Nobody", AF_INET, 65534},
                                         Reached{"RootV6", AF_INET6, 0},
                                         Reached{"NobodyV6", AF_INET6, 65534}),
                         testing::PrintToStringParamName());

constexpr const char *hooks[] = {"output", "postrouting"};

// One is let go, one is dropped, one gets other data: as it would be with a
// sendto() to each. The sender is told of none, and nobody else waits.
TEST_P(Queued, AProgramDecidesAboutMembers)
{
    for (std::string hook : hooks)
        for (size_t size : {100ul, 1400ul}) {
            SCOPED_TRACE(hook + ", " + std::to_string(size) + " bytes");
            queue_at(hook);
            NfQueue queue(7);
            const size_t headers = GetParam().headers();
            const std::string sent = pattern(size);
            const std::string other = swapped(sent, size - 4);
            auto decide = [&] {
                for (int i = 2; i <= 4; i++) {
                    auto p = queue.next();
                    EXPECT_EQ(to(p), GetParam().host(static_cast<size_t>(i)));
                    EXPECT_TRUE(p.bytes.substr(headers) == sent) << "member " << i;
                    if (i == 2)
                        queue.decide(p, NF_ACCEPT);
                    if (i == 3)
                        queue.decide(p, NF_DROP);
                    if (i == 4)
                        queue.decide(p, NF_ACCEPT, p.bytes.substr(0, headers) + other);
                }
            };
            auto expect_decided = [&] {
                // nobody waits for what another waits for
                EXPECT_TRUE(rs_[0].next() == sent);
                EXPECT_TRUE(rs_[4].next() == sent);
                for (size_t i : {1, 2, 3})
                    EXPECT_TRUE(rs_[i].empty()) << "member " << i;
                decide();
                EXPECT_TRUE(rs_[1].next() == sent);
                EXPECT_TRUE(rs_[3].next() == other);
                for (auto &r : rs_)
                    EXPECT_TRUE(r.empty());
            };
            Sender s(GetParam().domain); // outlives the sender's process, which shares it
            join_all(s, rs_);
            sender([&] {
                for (auto &r : rs_)
                    EXPECT_EQ(send_alone(s, r, sent), static_cast<long>(size));
            });
            expect_decided();
            for (uint64_t sends = 1; sends <= 2; sends++) {
                sender([&] { EXPECT_EQ(s.send(sent), static_cast<long>(size)); });
                expect_decided();
                EXPECT_EQ(s.stat().totals.sent, sends * rs_.size());
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
    constexpr int rounds = 5;
    auto sent = [](int round) { return std::string(1400, static_cast<char>('a' + round)); };
    sender([&] {
        Sender s(GetParam().domain);
        join_all(s, rs_);
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
        for (auto &r : rs_)
            EXPECT_TRUE(r.next() == sent(i)) << "round " << i;
}

// Without a program the queue drops, which sendto() calls a success.
TEST_P(Queued, NobodyDecides)
{
    queue_at("postrouting");
    sender([&] {
        Sender s(GetParam().domain);
        join_all(s, rs_);
        for (auto &r : rs_)
            EXPECT_EQ(send_alone(s, r), length);
        expect_received(rs_, {0, -1, -1, -1, 0});
        EXPECT_EQ(s.send(data), length);
        expect_received(rs_, {0, -1, -1, -1, 0});
        EXPECT_EQ(s.stat().totals.sent, rs_.size());
    });
}

} // namespace
} // namespace selftest
