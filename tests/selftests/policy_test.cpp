// SPDX-License-Identifier: GPL-2.0-only
// No bypass: whatever acts on a sendto() to a member acts on that member of a
// group send, and on no other. Each policy is met by root and by nobody.

#include "support.hpp"
#include "tomoyo.hpp"

#include <linux/bpf.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <ctime>
#include <functional>
#include <map>
#include <regex>

namespace selftest {
namespace {

constexpr std::string_view data = "payload";
constexpr long length = data.size();

std::string output_of(const std::string &command)
{
    std::string text;
    char buf[4096];
    FILE *in = popen(command.c_str(), "r");
    while (size_t n = fread(buf, 1, sizeof(buf), in))
        text.append(buf, n);
    if (pclose(in) != 0)
        throw std::runtime_error(command);
    return text;
}

class Policy : public InNamespace, public testing::WithParamInterface<uid_t> {
protected:
    // Runs in a process of its own what the sender does, as the test's user.
    // What the process needs root for comes first. Its failures are the test's.
    void sender(const std::function<void()> &as_root, const std::function<void()> &what)
    {
        fflush(nullptr);
        pid_t pid = fork();
        if (pid == 0) {
            try {
                as_root();
                if (setresgid(GetParam(), GetParam(), GetParam()) ||
                    setresuid(GetParam(), GetParam(), GetParam()))
                    throw std::runtime_error("setresuid");
                what();
            } catch (const std::exception &e) {
                ADD_FAILURE() << e.what();
            }
            fflush(nullptr);
            _exit(HasFailure() ? 1 : 0);
        }
        int status = -1;
        waitpid(pid, &status, 0);
        EXPECT_EQ(status, 0) << "the sender's process failed";
    }
    void sender(const std::function<void()> &what)
    {
        sender([] {}, what);
    }
};

INSTANTIATE_TEST_SUITE_P(By, Policy, testing::Values(0, 65534),
                         [](const auto &user) { return user.param ? "Nobody" : "Root"; });

// At 127.0.0.1 and the addresses after it: one policy tells them apart.
std::vector<Receiver> neighbours(int n)
{
    std::vector<Receiver> rs;
    for (int i = 1; i <= n; i++)
        rs.emplace_back("127.0.0." + std::to_string(i));
    return rs;
}

void expect_received(std::vector<Receiver> &rs, const std::vector<int> &errors)
{
    for (size_t i = 0; i < rs.size(); i++) {
        if (!errors[i]) {
            EXPECT_EQ(rs[i].next(), data) << "member " << i;
        }
        EXPECT_TRUE(rs[i].empty()) << "member " << i;
    }
}

// A sendto() to each of them and then two group sends have the same outcome:
// the errno given, or the datagram. What sendto() does not tell of is silent.
void expect_same(std::vector<Receiver> &rs, const std::vector<int> &errors, bool silent = false)
{
    auto addrs = addresses(rs);
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    for (size_t i = 0; i < addrs.size(); i++)
        EXPECT_EQ(s.send_to(data, addrs[i]), errors[i] && !silent ? -errors[i] : length) << i;
    expect_received(rs, errors);

    for (unsigned sends = 1; sends <= 2; sends++) {
        EXPECT_EQ(s.send(data), length);
        expect_received(rs, errors);
        auto stat = s.stat();
        ASSERT_EQ(stat.members.size(), addrs.size());
        uint64_t sent = 0;
        for (size_t i = 0; i < addrs.size(); i++) {
            const auto &m = stat.members[i];
            EXPECT_EQ(m.addr.in, addrs[i]);
            EXPECT_EQ(m.sent, errors[i] ? 0 : sends) << "member " << i;
            EXPECT_EQ(m.failed, errors[i] ? sends : 0) << "member " << i;
            EXPECT_EQ(m.error, errors[i]) << "member " << i;
            sent += m.sent;
        }
        EXPECT_EQ(stat.totals.sends, sends);
        EXPECT_EQ(stat.totals.sent, sent);
        EXPECT_EQ(stat.totals.failed, sends * addrs.size() - sent);
        EXPECT_EQ(stat.totals.unreached, 0u);
    }
    EXPECT_EQ(s.members(), addrs);
    EXPECT_EQ(s.error(), 0);
}

TEST_P(Policy, TheSecurityModuleIsAskedForEachMember)
{
    auto rs = neighbours(5);
    sender([] { enter_domain("127.0.0.1-127.0.0.2 127.0.0.4"); },
           [&] {
               expect_same(rs, {0, 0, EPERM, 0, EPERM});
           });
    // and without the policy
    sender([&] { expect_same(rs, {0, 0, 0, 0, 0}); });
}

TEST_P(Policy, TheSecurityModuleForbidsThemAll)
{
    auto rs = neighbours(3);
    sender([] { enter_domain("10.0.0.1"); }, [&] { expect_same(rs, {EPERM, EPERM, EPERM}); });
}

// sendmmsg() does not ask again about an address that it has just sent to.
TEST_P(Policy, TheSecurityModuleIsAskedForEachMessageOfMany)
{
    auto rs = neighbours(3);
    auto addrs = addresses(rs);
    auto may_send_to = [&](std::vector<sockaddr_in *> dests, const std::vector<int> &copies,
                           long expected) {
        Sender s;
        ASSERT_EQ(s.set(addrs), 0);
        char text[] = "payload";
        iovec iov{text, data.size()};
        std::vector<mmsghdr> msgs(dests.size());
        for (size_t i = 0; i < dests.size(); i++) {
            msgs[i].msg_hdr.msg_iov = &iov;
            msgs[i].msg_hdr.msg_iovlen = 1;
            msgs[i].msg_hdr.msg_name = dests[i];
            msgs[i].msg_hdr.msg_namelen = dests[i] ? sizeof(sockaddr_in) : 0;
        }
        EXPECT_EQ(result(sendmmsg(s.fd(), msgs.data(), static_cast<unsigned>(msgs.size()), 0)),
                  expected);
        for (size_t i = 0; i < rs.size(); i++) {
            for (int c = 0; c < copies[i]; c++)
                EXPECT_EQ(rs[i].next(), data);
            EXPECT_TRUE(rs[i].empty()) << "member " << i;
        }
    };
    sender([] { enter_domain("127.0.0.1 127.0.0.3"); },
           [&] {
               may_send_to({nullptr, nullptr}, {2, 0, 2}, 2);
               may_send_to({&addrs[0], &addrs[0], nullptr, &addrs[0]}, {4, 0, 1}, 4);
               may_send_to({nullptr, &addrs[1], nullptr}, {1, 0, 1}, 1);
               may_send_to({&addrs[2], nullptr, &addrs[1]}, {1, 0, 2}, 2);
           });
}

// BPF programs, small enough to be written down as instructions.
constexpr uint8_t r0 = BPF_REG_0, r1 = BPF_REG_1, r2 = BPF_REG_2, r3 = BPF_REG_3, r4 = BPF_REG_4,
                  r10 = BPF_REG_10;

bpf_insn insn(int code, uint8_t dst, uint8_t src, int off, int32_t imm)
{
    bpf_insn i{};
    i.code = static_cast<uint8_t>(code);
    i.dst_reg = dst & 15;
    i.src_reg = src & 15;
    i.off = static_cast<int16_t>(off);
    i.imm = imm;
    return i;
}

bpf_insn set(uint8_t reg, int32_t value)
{
    return insn(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value);
}
bpf_insn copy(uint8_t to, uint8_t from)
{
    return insn(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}
bpf_insn add(uint8_t reg, int32_t value)
{
    return insn(BPF_ALU64 | BPF_ADD | BPF_K, reg, 0, 0, value);
}
bpf_insn load(uint8_t to, uint8_t from, size_t off)
{
    return insn(BPF_LDX | BPF_MEM | BPF_W, to, from, static_cast<int>(off), 0);
}
bpf_insn store(uint8_t to, uint8_t from, size_t off)
{
    return insn(BPF_STX | BPF_MEM | BPF_W, to, from, static_cast<int>(off), 0);
}
bpf_insn skip_unless(uint8_t reg, int32_t value, int insns)
{
    return insn(BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, insns, value);
}
bpf_insn call(int32_t helper) { return insn(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
bpf_insn leave() { return insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

long bpf(int cmd, union bpf_attr &attr) { return syscall(SYS_bpf, cmd, &attr, sizeof(attr)); }

class Program {
public:
    Program(uint32_t type, uint32_t attach_type, const std::vector<bpf_insn> &insns)
        : attach_type_(attach_type)
    {
        std::string log(65536, '\0');
        union bpf_attr attr {};
        attr.prog_type = type;
        attr.expected_attach_type = type == BPF_PROG_TYPE_SCHED_CLS ? 0 : attach_type;
        attr.insns = reinterpret_cast<uintptr_t>(insns.data());
        attr.insn_cnt = static_cast<uint32_t>(insns.size());
        attr.license = reinterpret_cast<uintptr_t>("GPL");
        attr.log_buf = reinterpret_cast<uintptr_t>(log.data());
        attr.log_size = static_cast<uint32_t>(log.size());
        attr.log_level = 1;
        fd_ = Fd(static_cast<int>(bpf(BPF_PROG_LOAD, attr)));
        if (fd_.get() < 0)
            throw std::runtime_error(std::string("BPF: ") + strerror(errno) + "\n" + log.data());
    }
    // To a cgroup's descriptor or to a device's index.
    void attach(int target) const
    {
        union bpf_attr attr {};
        attr.target_fd = static_cast<uint32_t>(target);
        attr.attach_bpf_fd = static_cast<uint32_t>(fd_.get());
        attr.attach_type = attach_type_;
        if (bpf(BPF_PROG_ATTACH, attr) < 0)
            throw std::runtime_error(std::string("BPF attach: ") + strerror(errno));
    }

private:
    Fd fd_;
    uint32_t attach_type_;
};

// A control group that a program is attached to.
class Cgroup {
public:
    Cgroup() : path_("/sys/fs/cgroup/policy_test")
    {
        if (mkdir(path_.c_str(), 0755) < 0)
            throw std::runtime_error(path_ + ": " + strerror(errno));
        fd_ = Fd(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    ~Cgroup() { EXPECT_EQ(rmdir(path_.c_str()), 0) << strerror(errno); }
    int fd() const { return fd_.get(); }
    // What this process opens from here on is the control group's.
    void enter() const { write_file(path_ + "/cgroup.procs", std::to_string(getpid())); }

private:
    std::string path_;
    Fd fd_;
};

int32_t number(std::string_view ip) { return static_cast<int32_t>(address(ip, 0).sin_addr.s_addr); }

// Runs at a sendmsg() to this address.
Program at_sendmsg(std::string_view ip, std::vector<bpf_insn> then)
{
    std::vector<bpf_insn> insns{load(r2, r1, offsetof(bpf_sock_addr, user_ip4)),
                                skip_unless(r2, number(ip), static_cast<int>(then.size()))};
    insns.insert(insns.end(), then.begin(), then.end());
    insns.push_back(set(r0, 1));
    insns.push_back(leave());
    return {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG, insns};
}

// Has one verdict on packets to this address, and another on all others. The
// packet begins with its IP header at an offset.
Program on_packet(uint32_t type, uint32_t attach_type, int ip_header, std::string_view ip,
                  int verdict, int otherwise)
{
    return {type,
            attach_type,
            {set(r2, ip_header + 16), copy(r3, r10), add(r3, -4), set(r4, 4),
             call(BPF_FUNC_skb_load_bytes), load(r2, r10, static_cast<size_t>(-4)),
             skip_unless(r2, number(ip), 2), set(r0, verdict), leave(), set(r0, otherwise),
             leave()}};
}

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
        bool silent;
    } cases[] = {{0, EPERM, false}, {2, ENOBUFS, true}, {3, 0, false}};
    for (const auto &c : cases) {
        SCOPED_TRACE(c.verdict);
        Cgroup cgroup;
        on_packet(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 0, "127.0.0.3", c.verdict, 1)
            .attach(cgroup.fd());
        auto rs = neighbours(4);
        sender([&] { cgroup.enter(); }, [&] { expect_same(rs, {0, 0, c.error, 0}, c.silent); });
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
    sender([&] { expect_same(rs, {0, ENOBUFS, 0}, true); });
}

void rules(const std::string &text)
{
    run("nft 'add table ip t; add chain ip t out { type filter hook output priority 0; }; " + text +
        "'");
}

std::vector<long> counters()
{
    std::vector<long> packets;
    std::string text = output_of("nft list chain ip t out");
    std::regex counter("counter packets ([0-9]+)");
    for (std::sregex_iterator it(text.begin(), text.end(), counter), end; it != end; ++it)
        packets.push_back(std::stol((*it)[1]));
    return packets;
}

TEST_P(Policy, NetfilterDropsAMember)
{
    rules("add rule ip t out ip daddr 127.0.0.2 drop; "
          "add rule ip t out ip daddr 127.0.0.4 drop");
    auto rs = neighbours(4);
    sender([&] { expect_same(rs, {0, EPERM, 0, EPERM}); });
}

TEST_P(Policy, NetfilterSeesOnePacketAMember)
{
    rules("add rule ip t out ip daddr 127.0.0.1 counter; "
          "add rule ip t out ip daddr 127.0.0.2 counter drop; "
          "add rule ip t out ip daddr 127.0.0.3 counter; "
          "add rule ip t out ct state new counter; "
          "add rule ip t out meta skuid " +
          std::to_string(GetParam()) + " counter");
    auto rs = neighbours(3);
    sender([&] {
        Sender s;
        ASSERT_EQ(s.set(addresses(rs)), 0);
        EXPECT_EQ(s.send(data), length);
        expect_received(rs, {0, EPERM, 0});
    });
    EXPECT_EQ(counters(), (std::vector<long>{1, 1, 1, 2, 2}));
}

TEST_P(Policy, NetfilterLimitsTheRate)
{
    rules("add rule ip t out limit rate over 1/hour burst 2 packets drop");
    auto rs = neighbours(4);
    sender([&] {
        Sender s;
        ASSERT_EQ(s.set(addresses(rs)), 0);
        EXPECT_EQ(s.send(data), length);
        expect_received(rs, {0, 0, EPERM, EPERM});
        for (const auto &m : s.stat().members)
            EXPECT_EQ(m.error, m.slot < 2 ? 0 : EPERM);
    });
}

// The rejection comes back as an ICMP error, which is the member's as well.
TEST_P(Policy, NetfilterRejectsAMember)
{
    rules("add rule ip t out ip daddr 127.0.0.2 reject");
    auto rs = neighbours(3);
    sender([&] {
        Sender s;
        ASSERT_EQ(s.set(addresses(rs)), 0);
        EXPECT_EQ(s.send_to(data, rs[1].address()), -EPERM);
        auto icmp = [&] { return s.stat().members[1].icmp; };
        EXPECT_TRUE(eventually([&] { return icmp() == 1; }));
        EXPECT_EQ(s.send(data), length);
        expect_received(rs, {0, EPERM, 0});
        EXPECT_TRUE(eventually([&] { return icmp() == 2; }));
        auto stat = s.stat();
        EXPECT_EQ(stat.totals.sent, 2u);
        EXPECT_EQ(stat.members[1].failed, 1u);
        EXPECT_EQ(stat.members[1].icmp, 2u);
        EXPECT_EQ(stat.totals.icmp, 2u);
        EXPECT_EQ(s.error(), 0);
    });
}

// Two devices without a peer. What is sent to 10.8/16 is dropped by the queue,
// what is sent to 10.9/16 leaves.
void full_and_free_device()
{
    for (std::string n : {"8", "9"})
        run("ip link add d" + n + " type dummy && ip addr add 10." + n + ".0.1/16 dev d" + n +
            " && ip link set d" + n + " up");
    run("tc qdisc add dev d8 root bfifo limit 1");
}

TEST_P(Policy, TheQueueDropsAMember)
{
    full_and_free_device();
    Receiver r;
    std::vector<sockaddr_in> addrs{address("10.9.0.2", 9), address("10.8.0.2", 9), r.address()};
    sender([&] {
        Sender s;
        ASSERT_EQ(s.set(addrs), 0);
        auto expect_drops = [&](unsigned drops) {
            auto stat = s.stat();
            EXPECT_EQ(stat.members[0].sent, drops);
            EXPECT_EQ(stat.members[1].sent, 0u);
            EXPECT_EQ(stat.members[1].failed, drops);
            EXPECT_EQ(stat.members[1].error, ENOBUFS);
            EXPECT_EQ(stat.members[2].sent, drops);
            EXPECT_EQ(r.next(), data);
            EXPECT_TRUE(r.empty());
            EXPECT_EQ(s.error(), 0);
        };
        // sendto() has always called this a success
        EXPECT_EQ(s.send_to(data, addrs[1]), length);
        EXPECT_EQ(s.send(data), length);
        expect_drops(1);
        EXPECT_EQ(s.send_to(data, addrs[1]), length);

        // unless the socket has asked to be told
        ASSERT_EQ(s.option(SOL_IP, IP_RECVERR, 1), 0);
        EXPECT_EQ(s.send_to(data, addrs[1]), -ENOBUFS);
        EXPECT_EQ(s.send(data), length);
        expect_drops(2);
        auto e = queued_error(s.fd());
        ASSERT_TRUE(e);
        EXPECT_EQ(e->err.ee_origin, SO_EE_ORIGIN_LOCAL);
        EXPECT_EQ(e->err.ee_errno, static_cast<unsigned>(ENOBUFS));
        EXPECT_EQ(e->who, addrs[1]);
        EXPECT_FALSE(queued_error(s.fd()));
    });
}

// A queue that holds each datagram until its time: meanwhile it is charged to
// the socket, to the byte what those of sendto() are.
TEST_P(Policy, EachDatagramIsChargedToTheSocket)
{
    full_and_free_device();
    run("tc qdisc add dev d9 root fq horizon 1000s");
    auto addrs = many(0x0a090002, 8);
    Sender one, group; // outlive the sender's process, which shares them
    auto charged = [](const Sender &s) {
        int bytes = -1;
        ioctl(s.fd(), SIOCOUTQ, &bytes);
        return bytes;
    };
    for (const auto *s : {&one, &group}) {
        sock_txtime txtime{.clockid = CLOCK_MONOTONIC, .flags = 0};
        ASSERT_EQ(setsockopt(s->fd(), SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)), 0);
    }
    for (size_t size : {0, 100, 1400, 4000}) {
        SCOPED_TRACE(size);
        std::string bytes(size, 'x');
        int before[] = {charged(one), charged(group)};
        sender([&] {
            timespec now;
            clock_gettime(CLOCK_MONOTONIC, &now);
            uint64_t departure = static_cast<uint64_t>(now.tv_sec + 500) * 1000000000;
            alignas(cmsghdr) char control[CMSG_SPACE(sizeof(departure))] = {};
            iovec iov{bytes.data(), size};
            msghdr msg{};
            msg.msg_iov = &iov;
            msg.msg_iovlen = 1;
            msg.msg_control = control;
            msg.msg_controllen = sizeof(control);
            cmsghdr *c = CMSG_FIRSTHDR(&msg);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_TXTIME;
            c->cmsg_len = CMSG_LEN(sizeof(departure));
            memcpy(CMSG_DATA(c), &departure, sizeof(departure));

            ASSERT_EQ(group.set(addrs), 0);
            EXPECT_EQ(result(sendmsg(group.fd(), &msg, 0)), static_cast<long>(size));
            msg.msg_namelen = sizeof(sockaddr_in);
            for (auto &addr : addrs) {
                msg.msg_name = &addr;
                EXPECT_EQ(result(sendmsg(one.fd(), &msg, 0)), static_cast<long>(size));
            }
        });
        // A datagram's memory, and not less than its data for any of them; the
        // fast path takes less than sendto() where a power of two would be half empty.
        int by[] = {charged(one) - before[0], charged(group) - before[1]};
        EXPECT_GE(by[0], static_cast<int>(8 * (size + 28)));
        EXPECT_GE(by[1], static_cast<int>(8 * (size + 28)));
        EXPECT_LE(by[1], by[0]);
    }
    run("tc qdisc del dev d9 root");
    EXPECT_EQ(charged(one), 0);
    EXPECT_EQ(charged(group), 0);
}

using Counters = std::map<std::string, long>;

Counters snmp_counters()
{
    Counters all;
    for (std::string protocol : {"Ip", "Udp"})
        for (const auto &[name, value] : snmp(protocol))
            all[protocol + name] = value;
    return all;
}

// The same outcomes move the same counters of the namespace, whether they are
// a group's or those of as many calls of sendto().
TEST_P(Policy, MovesTheSameCountersAsSendto)
{
    struct {
        size_t size;
        int recverr;
    } cases[] = {{100, 0}, {100, 1}, {4000, 0}, {4000, 1}};

    auto moved = [&](bool group) {
        NetNs fresh;
        full_and_free_device();
        rules("add rule ip t out ip daddr 127.0.0.2 drop");
        auto rs = neighbours(2);
        std::vector<sockaddr_in> addrs{rs[0].address(), address("10.77.0.1", 9), rs[1].address(),
                                       address("10.8.0.2", 9), address("10.9.0.2", 9)};
        std::vector<Counters> all;
        for (const auto &c : cases) {
            std::string bytes(c.size, 'x');
            auto before = snmp_counters();
            sender([&] {
                Sender s;
                ASSERT_EQ(s.option(SOL_IP, IP_RECVERR, c.recverr), 0);
                if (group) {
                    ASSERT_EQ(s.set(addrs), 0);
                    EXPECT_EQ(s.send(bytes), static_cast<long>(c.size));
                    EXPECT_EQ(s.stat().totals.failed, 3u);
                } else {
                    for (const auto &addr : addrs)
                        s.send_to(bytes, addr);
                }
            });
            EXPECT_EQ(rs[0].next(), bytes);
            auto after = snmp_counters();
            for (auto &[name, value] : after)
                value -= before[name];
            all.push_back(after);
        }
        return all;
    };

    auto one = moved(false), group = moved(true);
    for (size_t i = 0; i < std::size(cases); i++) {
        SCOPED_TRACE(std::to_string(cases[i].size) + (cases[i].recverr ? " IP_RECVERR" : ""));
        EXPECT_EQ(group[i], one[i]);
        // so that none of them is equal because nothing happened
        EXPECT_EQ(one[i]["UdpOutDatagrams"], 2);
        EXPECT_EQ(one[i]["UdpInDatagrams"], 1);
        EXPECT_GE(one[i]["UdpSndbufErrors"], 1);
        EXPECT_EQ(one[i]["IpOutNoRoutes"], 1);
        EXPECT_GE(one[i]["IpOutDiscards"], 1);
        EXPECT_GE(one[i]["IpOutRequests"], 4);
        EXPECT_GE(one[i]["IpFragOKs"], cases[i].size == 4000 ? 1 : 0);
    }
}

} // namespace
} // namespace selftest
