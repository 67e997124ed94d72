// SPDX-License-Identifier: GPL-2.0-only
// Policies of IPv6: what acts on a sendto() to a member acts on that member of a
// group send, and on no other, whatever family the others are of.

#include "bpf.hpp"
#include "policy.hpp"

namespace selftest {
namespace {

// At fd00::1 and the addresses after it, which the last word tells apart, and a
// last one at an IPv4 address.
class Policy6 : public Policy {
protected:
    static constexpr size_t six = 4;

    void SetUp() override
    {
        std::ofstream("/proc/sys/net/ipv6/conf/all/disable_ipv6") << 0;
        std::ofstream("/proc/sys/net/ipv6/conf/lo/disable_ipv6") << 0;
        for (size_t i = 1; i <= six; i++)
            run("ip addr add fd00::" + std::to_string(i) + "/128 dev lo nodad");
        for (size_t i = 1; i <= six; i++)
            rs_.emplace_back(ip6(("fd00::" + std::to_string(i)).c_str(), 0));
        rs_.emplace_back(mapped(address("127.0.0.9", 0)));
    }
    void expect_same(const std::vector<int> &errors)
    {
        selftest::expect_same(AF_INET6, rs_, errors);
    }

    std::vector<Receiver6> rs_;
};

INSTANTIATE_TEST_SUITE_P(By, Policy6, testing::Values(0, 65534),
                         [](const auto &user) { return user.param ? "Nobody" : "Root"; });

// Runs at a sendmsg() to fd00:: with this last word.
Program at_sendmsg6(uint32_t host, std::vector<bpf_insn> then)
{
    std::vector<bpf_insn> insns{load(r2, r1, offsetof(bpf_sock_addr, user_ip6) + 12),
                                skip_unless(r2, last_word(host), static_cast<int>(then.size()))};
    insns.insert(insns.end(), then.begin(), then.end());
    insns.push_back(set(r0, 1));
    insns.push_back(leave());
    return {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_SENDMSG, insns};
}

TEST_P(Policy6, TheSecurityModuleIsAskedForEachMember)
{
    sender([] { enter_domain("fd00::1-fd00::2 fd00::4"); },
           [&] {
               expect_same({0, 0, EPERM, 0, EPERM});
           });
    sender([] { enter_domain("fd00::2 ::ffff:127.0.0.9"); },
           [&] {
               expect_same({EPERM, 0, EPERM, EPERM, 0});
           });
    // and without the policy
    sender([&] { expect_same({0, 0, 0, 0, 0}); });
}

TEST_P(Policy6, ACgroupProgramRefusesAMember)
{
    Cgroup cgroup;
    at_sendmsg6(2, {set(r0, 0), leave()}).attach(cgroup.fd());
    sender([&] { cgroup.enter(); }, [&] { expect_same({0, EPERM, 0, 0, 0}); });
    sender([&] { expect_same({0, 0, 0, 0, 0}); });
}

// A program of IPv4's is met by members that are reached by IPv4.
TEST_P(Policy6, ACgroupProgramRefusesTheMemberOfTheOtherFamily)
{
    Cgroup cgroup;
    at_sendmsg("127.0.0.9", {set(r0, 0), leave()}).attach(cgroup.fd());
    sender([&] { cgroup.enter(); }, [&] { expect_same({0, 0, 0, 0, EPERM}); });
}

TEST_P(Policy6, ACgroupProgramSendsAMemberElsewhere)
{
    Cgroup cgroup;
    run("ip addr add fd00::77/128 dev lo nodad");
    Receiver6 elsewhere(ip6("fd00::77", 0));
    at_sendmsg6(3, {set(r2, last_word(0x77)), store(r1, r2, offsetof(bpf_sock_addr, user_ip6) + 12),
                    set(r2, elsewhere.address().sin6_port),
                    store(r1, r2, offsetof(bpf_sock_addr, user_port))})
        .attach(cgroup.fd());
    sender([&] { cgroup.enter(); },
           [&] {
               Sender s(AF_INET6);
               const auto packed = join_all(s, rs_);
               for (unsigned sends = 1; sends <= 2; sends++) {
                   EXPECT_EQ(s.send(data), length);
                   expect_received(rs_, {0, 0, -1, 0, 0});
                   EXPECT_EQ(elsewhere.next(), data);
                   EXPECT_TRUE(elsewhere.empty());
                   EXPECT_EQ(s.stat().members[2].sent, sends);
               }
               EXPECT_EQ(members(s), packed);
           });
}

// 0 is a drop that the sender is told of, 2 one that it is not.
TEST_P(Policy6, ACgroupProgramDropsAtEgress)
{
    constexpr int last_word_of_daddr = 36;
    struct {
        int verdict, error;
    } cases[] = {{0, EPERM}, {2, ENOBUFS}, {3, 0}};
    for (const auto &c : cases) {
        SCOPED_TRACE(c.verdict);
        Cgroup cgroup;
        on_word(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, last_word_of_daddr, last_word(4),
                c.verdict, 1)
            .attach(cgroup.fd());
        sender([&] { cgroup.enter(); }, [&] { expect_same({0, 0, 0, c.error, 0}); });
    }
}

TEST_P(Policy6, NetfilterDropsMembers)
{
    run("nft 'add table inet t; "
        "add chain inet t out { type filter hook output priority 0; }; "
        "add chain inet t post { type filter hook postrouting priority 0; }; "
        "add rule inet t out ip6 daddr fd00::1 drop; "
        "add rule inet t post ip6 daddr fd00::3 drop; "
        "add rule inet t post ip daddr 127.0.0.9 drop'");
    sender([&] { expect_same({EPERM, 0, EPERM, 0, EPERM}); });
}

TEST_P(Policy6, ARouteRefusesAMember)
{
    run("ip addr del fd00::2/128 dev lo; ip -6 route add prohibit fd00::2");
    sender([&] { expect_same({0, EACCES, 0, 0, 0}); });
}

} // namespace
} // namespace selftest
