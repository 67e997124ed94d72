// SPDX-License-Identifier: GPL-2.0-only
// What a program can do to the memory, the routes and the patience of a kernel
// while it sends to a group, and what that must not lead to.

#include "messages.hpp"

#include <linux/xfrm.h>
#include <sys/mman.h>

#include <csignal>
#include <thread>

namespace selftest {
namespace {

class Hostile : public InNamespace {};

// Pages come and go while the kernel copies from them. A member's datagram has
// what the program wrote, whole, or there is none: never what the kernel's memory
// had in it.
TEST_F(Hostile, PagesThatComeAndGo)
{
    constexpr size_t page = 4096, own = 1, shared = 3 * page;
    std::vector<Receiver> rs(4);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    auto generation = s.stat().totals.generation;
    auto pages = static_cast<char *>(
        mmap(nullptr, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(pages, MAP_FAILED);
    memset(pages, 's', 4 * page);
    char *data = pages + page - rs.size() * own; // the prefixes are on a page that stays
    std::atomic<bool> done = false;
    std::thread toggle([&] {
        for (bool on = false; !done; on = !on)
            mprotect(pages + page, 3 * page, on ? PROT_READ | PROT_WRITE : PROT_NONE);
    });
    long stopped = 0, whole = 0, wrong = 0;
    const std::string expected(own + shared, 's');
    for (int i = 0; i < 1500; i++) {
        Control c = Control().own(generation, own);
        iovec iov{data, rs.size() * own + shared};
        msghdr msg{};
        msg.msg_iov = &iov;
        msg.msg_iovlen = 1;
        msg.msg_control = c.data();
        msg.msg_controllen = c.size();
        long n = result(sendmsg(s.fd(), &msg, MSG_CONFIRM | MSG_DONTWAIT));
        stopped += n == -EFAULT;
        for (auto &r : rs)
            while (auto got = r.next(MSG_DONTWAIT)) {
                whole += *got == expected;
                wrong += *got != expected;
            }
    }
    done = true;
    toggle.join();
    munmap(pages, 4 * page);
    EXPECT_EQ(wrong, 0);
    EXPECT_GT(stopped, 0);
    EXPECT_GT(whole, 0);
}

// A policy of the socket's own, and one that comes to light because that above
// it goes, hold for the next send, as for the next sendto().
TEST_F(Hostile, PoliciesHoldAtOnce)
{
    run("ip link add d0 type dummy; ip link set d0 up; ip addr add 10.8.0.1/16 dev d0");
    auto a = many(0x0a080002, 5);
    Sender own, other;
    for (const auto *s : {&own, &other}) {
        ASSERT_EQ(s->set(a), 0);
        ASSERT_EQ(s->send("x"), 1);
        ASSERT_EQ(s->stat().totals.sent, 5u);
    }
    xfrm_userpolicy_info block{};
    block.dir = XFRM_POLICY_OUT;
    block.action = XFRM_POLICY_BLOCK;
    block.sel.family = AF_INET;
    block.lft.hard_byte_limit = block.lft.hard_packet_limit = XFRM_INF;
    block.lft.soft_byte_limit = block.lft.soft_packet_limit = XFRM_INF;
    ASSERT_EQ(result(setsockopt(own.fd(), SOL_IP, IP_XFRM_POLICY, &block, sizeof(block))), 0);
    const long refused = own.send_to("x", a[0]);
    ASSERT_LT(refused, 0);
    EXPECT_EQ(own.send("x"), 1);
    auto stat = own.stat();
    EXPECT_EQ(stat.totals.sent, 5u);
    EXPECT_EQ(stat.totals.failed, 5u);
    EXPECT_EQ(stat.members[0].error, static_cast<uint32_t>(-refused));

    run("ip xfrm policy add dst 10.8.0.0/16 dir out action block priority 9");
    run("ip xfrm policy add dst 10.8.0.0/24 dir out priority 1");
    ASSERT_EQ(other.send_to("x", a[0]), 1);
    EXPECT_EQ(other.send("x"), 1);
    EXPECT_EQ(other.stat().totals.sent, 10u);
    run("ip xfrm policy del dst 10.8.0.0/24 dir out");
    ASSERT_LT(other.send_to("x", a[0]), 0);
    EXPECT_EQ(other.send("x"), 1);
    EXPECT_EQ(other.stat().totals.sent, 10u);
    EXPECT_EQ(other.stat().totals.failed, 5u);
}

// The namespace can demand flow labels of sockets that do not want them.
TEST_F(Hostile, LabelsThatAreForced)
{
    enable_ip6();
    Fd receiver(socket(AF_INET6, SOCK_DGRAM, 0));
    sockaddr_in6 there{};
    there.sin6_family = AF_INET6;
    there.sin6_addr = in6addr_loopback;
    socklen_t len = sizeof(there);
    ASSERT_EQ(bind(receiver.get(), reinterpret_cast<sockaddr *>(&there), len), 0);
    ASSERT_EQ(getsockname(receiver.get(), reinterpret_cast<sockaddr *>(&there), &len), 0);
    Sender s(AF_INET6);
    ASSERT_EQ(s.option(IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0), 0);
    ASSERT_EQ(s.set_raw(&there, sizeof(there)), 0);
    for (const char *labels : {"3", "2", "1", "0"}) {
        std::ofstream("/proc/sys/net/ipv6/auto_flowlabels") << labels;
        ASSERT_EQ(s.send("x"), 1);
        char c = 0;
        EXPECT_EQ(recv(receiver.get(), &c, 1, MSG_DONTWAIT), 1) << labels;
    }
    EXPECT_EQ(s.stat().totals.sent, 4u);
}

// A send looks for those that it skips in one version of the group. If there is
// another each time, it must be possible to kill it all the same.
TEST_F(Hostile, ASendThatAlwaysFindsAnotherGroupCanBeKilled)
{
    std::ofstream("/proc/sys/net/core/optmem_max") << (1 << 20);
    auto a = many(0x0a090002, 4000);
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    pid_t pid = fork();
    if (pid == 0) {
        Message m("x", Control().skip(a));
        for (;;)
            m.send(s);
    }
    std::span<const sockaddr_in> last(&a.back(), 1);
    bool is_dead = false;
    int status = 0;
    auto change = [&](uint64_t until) {
        do {
            EXPECT_EQ(s.leave(last), 0);
            EXPECT_EQ(s.join(last), 0);
            is_dead = waitpid(pid, &status, WNOHANG) == pid;
        } while (!is_dead && monotonic() < until);
    };
    change(monotonic() + 300'000'000);
    kill(pid, SIGKILL);
    change(monotonic() + 30'000'000'000);
    EXPECT_TRUE(is_dead);
    EXPECT_TRUE(WIFSIGNALED(status));
}

} // namespace
} // namespace selftest
