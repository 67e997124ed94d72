// SPDX-License-Identifier: GPL-2.0-only
// Policies that act on the way out by a device, on some members and not on others:
// with a queue that a batch meets, and without.

#include "egress.hpp"

namespace selftest {
namespace {

INSTANTIATE_TEST_SUITE_P(By, Egress, testing::ValuesIn(behind()),
                         testing::PrintToStringParamName());

constexpr int ethernet = 14;

// A rule for u32 on what is for this member.
std::string at_device(const std::string &family, const std::string &host, const std::string &action)
{
    return "filter add dev near egress protocol " + std::string(family == "ip" ? "ip" : "ipv6") +
           " u32 match " + family + " dst " + host + " action pedit munge offset " + action + "\n";
}

// To all, and then each but the first meets a policy of its own.
TEST_P(Egress, PoliciesDropMembers)
{
    constexpr uint32_t tcx_egress = 47; // BPF_TCX_EGRESS, which older headers do not have
    constexpr int tcx_next = -1, tcx_drop = 2;
    const int domain = GetParam().domain;
    Cgroup cgroup;
    sender([&] { cgroup.enter(); }, [&] { expect_same(domain, rs_, {0, 0, 0, 0, 0, 0, 0}); });
    run("nft 'add table inet t; "
        "add chain inet t out { type filter hook output priority 0; }; "
        "add chain inet t post { type filter hook postrouting priority 0; }; "
        "add table netdev d; "
        "add chain netdev d c { type filter hook egress device near priority 0; }; "
        "add rule inet t out " +
        is_to(1) + "drop; add rule netdev d c " + is_to(2) + "drop; add rule inet t post " +
        is_to(6) + "drop'");
    on_member(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 0, 3, 0, 1).attach(cgroup.fd());
    on_member(BPF_PROG_TYPE_SCHED_CLS, tcx_egress, ethernet, 4, tcx_drop, tcx_next)
        .attach(static_cast<int>(if_nametoindex("near")));
    batch("tc", "qdisc add dev near clsact\n" + at_device(family(), host(5), "0 u8 set 0 drop"));
    sender([&] { cgroup.enter(); },
           [&] {
               expect_same(domain, rs_, {0, EPERM, ENOBUFS, EPERM, ENOBUFS, ENOBUFS, EPERM});
           });
    // who is not in the control group is not concerned by its program
    sender([&] { expect_same(domain, rs_, {0, EPERM, ENOBUFS, 0, ENOBUFS, ENOBUFS, EPERM}); });
}

// An action writes into one member's data, and a NAT sends another's elsewhere.
TEST_P(Egress, PoliciesChangeMembers)
{
    constexpr int at = 1000;
    const std::string sent = pattern(1400);
    std::string written = sent;
    memset(&written[at], 0x55, 4);
    batch("tc", "qdisc add dev near clsact\n" + at_device(family(), host(1),
                                                          std::to_string(header_length() + 8 + at) +
                                                              " u32 set 0x55555555 pass"));
    run("nft 'add table " + family() + " t; add chain " + family() +
        " t c { type nat hook output priority -100; }; add rule " + family() + " t c " + is_to(2) +
        "udp dport > 0 dnat to " + (GetParam().is_ip6() ? "[" + elsewhere() + "]" : elsewhere()) +
        ":" + std::to_string(ntohs(elsewhere_->address().in.sin_port)) + "'");
    sender([&] {
        send_each_way(sent, [&] {
            for (size_t i = 0; i < n; i++) {
                const auto &r = i == 2 ? *elsewhere_ : rs_[i];
                EXPECT_TRUE(r.next() == (i == 1 ? written : sent)) << "member " << i;
                EXPECT_TRUE(r.empty()) << "member " << i;
                EXPECT_TRUE(rs_[i].empty()) << "member " << i;
            }
        });
    });
}

} // namespace
} // namespace selftest
