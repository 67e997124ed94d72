// SPDX-License-Identifier: GPL-2.0-only
// BPF programs that act on a sendto() to a member act on that member of a group
// send, and on no other. Each is met by root and by nobody.

#include "bpf.hpp"
#include "policy.hpp"

namespace selftest {
namespace {

INSTANTIATE_TEST_SUITE_P(By, Policy, testing::Values(0, 65534),
                         [](const auto &user) { return user.param ? "Nobody" : "Root"; });

TEST_P(Policy, ACgroupProgramRefusesAMember)
{
    Cgroup cgroup;
    at_sendmsg("127.0.0.2", {set(r0, 0), leave()}).attach(cgroup.fd());
    auto rs = neighbours(4);
    sender([&] { cgroup.enter(); }, [&] { expect_same(rs, {0, EPERM, 0, 0}); });
    // who is not in the control group is not concerned
    sender([&] { expect_same(rs, {0, 0, 0, 0}); });
}

TEST_P(Policy, ACgroupProgramSendsAMemberElsewhere)
{
    Cgroup cgroup;
    auto rs = neighbours(4);
    Receiver elsewhere("127.0.0.77");
    at_sendmsg("127.0.0.2",
               {set(r2, number("127.0.0.77")), store(r1, r2, offsetof(bpf_sock_addr, user_ip4)),
                set(r2, elsewhere.address().sin_port),
                store(r1, r2, offsetof(bpf_sock_addr, user_port))})
        .attach(cgroup.fd());

    sender([&] { cgroup.enter(); },
           [&] {
               auto addrs = addresses(rs);
               Sender s;
               ASSERT_EQ(s.set(addrs), 0);
               EXPECT_EQ(s.send_to(data, addrs[1]), length);
               EXPECT_EQ(elsewhere.next(), data);
               EXPECT_TRUE(rs[1].empty());
               for (unsigned sends = 1; sends <= 2; sends++) {
                   EXPECT_EQ(s.send(data), length);
                   expect_received(rs, {0, -1, 0, 0});
                   EXPECT_EQ(elsewhere.next(), data);
                   EXPECT_TRUE(elsewhere.empty());
                   auto stat = s.stat();
                   EXPECT_EQ(stat.totals.sent, 4 * sends);
                   // the record is that of the member, wherever it went
                   EXPECT_EQ(stat.members[1].addr.in, addrs[1]);
                   EXPECT_EQ(stat.members[1].sent, sends);
               }
               EXPECT_EQ(s.members(), addrs);
               EXPECT_EQ(s.stat().totals.generation, 1u);
           });
}

TEST_P(Policy, ACgroupProgramChangesTheSourceForAMember)
{
    Cgroup cgroup;
    auto rs = neighbours(3);
    at_sendmsg("127.0.0.2",
               {set(r2, number("127.0.0.99")), store(r1, r2, offsetof(bpf_sock_addr, msg_src_ip4))})
        .attach(cgroup.fd());
    auto source = [](const Receiver &r) {
        char byte;
        sockaddr_in from{};
        socklen_t len = sizeof(from);
        if (recvfrom(r.fd(), &byte, 1, MSG_TRUNC, reinterpret_cast<sockaddr *>(&from), &len) < 0)
            return std::string(strerror(errno));
        return std::string(inet_ntoa(from.sin_addr));
    };
    sender([&] { cgroup.enter(); },
           [&] {
               Sender s;
               ASSERT_EQ(s.set(addresses(rs)), 0);
               std::vector<std::string> one, group;
               for (auto &r : rs) {
                   EXPECT_EQ(s.send_to(data, r.address()), length);
                   one.push_back(source(r));
               }
               EXPECT_EQ(s.send(data), length);
               for (auto &r : rs)
                   group.push_back(source(r));
               EXPECT_EQ(one[1], "127.0.0.99");
               EXPECT_NE(one[2], "127.0.0.99");
               EXPECT_EQ(group, one);
           });
}

// 0 is a drop that the sender is told of, 2 one that it is not, 3 a mere sign
// of congestion: a drop has another effect on sendto() than on the record.
TEST_P(Policy, ACgroupProgramDropsAtEgress)
{
    struct {
        int verdict, error;
    } cases[] = {{0, EPERM}, {2, ENOBUFS}, {3, 0}};
    for (const auto &c : cases) {
        SCOPED_TRACE(c.verdict);
        Cgroup cgroup;
        on_packet(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 0, "127.0.0.3", c.verdict, 1)
            .attach(cgroup.fd());
        auto rs = neighbours(4);
        sender([&] { cgroup.enter(); }, [&] { expect_same(rs, {0, 0, c.error, 0}); });
    }
}

TEST_P(Policy, TrafficControlDropsAtEgress)
{
    constexpr uint32_t tcx_egress = 47; // BPF_TCX_EGRESS, which older headers do not have
    constexpr int tcx_next = -1, tcx_drop = 2, ethernet = 14;
    auto program =
        on_packet(BPF_PROG_TYPE_SCHED_CLS, tcx_egress, ethernet, "127.0.0.2", tcx_drop, tcx_next);
    program.attach(static_cast<int>(if_nametoindex("lo")));
    auto rs = neighbours(3);
    sender([&] { expect_same(rs, {0, ENOBUFS, 0}); });
}

} // namespace
} // namespace selftest
