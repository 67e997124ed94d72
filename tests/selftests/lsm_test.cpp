// SPDX-License-Identifier: GPL-2.0-only
// A security module that is a BPF program decides about each member as about a
// sendto() to it: for either family, on either path.

#include "bpf.hpp"
#include "families.hpp"
#include "policy.hpp"

#include <bpf/libbpf.h>

namespace selftest {
namespace {

class Lsm : public Policy {
protected:
    void SetUp() override { enable_ip6(); }
};

INSTANTIATE_TEST_SUITE_P(By, Lsm, testing::Values(0, 65534),
                         [](const auto &user) { return user.param ? "Nobody" : "Root"; });

// Refuses whatever is sent to this port, and nothing that has no address: a send
// to a group as such. One that may sleep is not to be called where nobody may.
Program refusing(in_port_t port, bool sleepable)
{
    // The address, in so far as those of both families are alike, is copied to the
    // stack. A copy of nothing is zeros.
    static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
    constexpr size_t size = 8, at = -size;
    // to read all types of the kernel's takes long
    static const int id = libbpf_find_vmlinux_btf_id("socket_sendmsg", BPF_LSM_MAC);
    if (id < 0)
        throw std::runtime_error(std::string("BTF: ") + strerror(-id));
    const std::vector<bpf_insn> insns{
        // the second argument, a msghdr, begins with msg_name
        load_pointer(r3, r1, sizeof(uint64_t)),
        load_pointer(r3, r3, 0),
        copy(r1, r10),
        add(r1, static_cast<int32_t>(at)),
        set(r2, size),
        call(BPF_FUNC_probe_read_kernel),
        load_half(r2, r10, at),
        skip_if(r2, AF_INET, 1),
        skip_unless(r2, AF_INET6, 4),
        load_half(r2, r10, at + offsetof(sockaddr_in6, sin6_port)),
        skip_unless(r2, port, 2),
        set(r0, -EPERM),
        leave(),
        set(r0, 0),
        leave(),
    };
    return Program::security_module(static_cast<uint32_t>(id), sleepable ? BPF_F_SLEEPABLE : 0,
                                    insns);
}

long send_to(const Sender &s, const Address &to, int flags)
{
    return result(sendto(s.fd(), data.data(), data.size(), flags, &to.sa, address_length(to)));
}

// Smack, which is asked as well, lets no AF_INET6 socket send to a sockaddr_in.
const Mix families[] = {{"V4", AF_INET, {"127.0.0.1"}},
                        {"V6", AF_INET6, {"::1"}},
                        {"Mixed", AF_INET6, {"::1", "::ffff:127.0.0.1"}}};

// The fast path, and the true one.
constexpr int path_flags[] = {0, MSG_CONFIRM};

TEST_P(Lsm, AProgramRefusesAMember)
{
    constexpr size_t n = 6, refused = 2;
    for (const Mix &mix : families)
        for (bool sleepable : {false, true}) {
            SCOPED_TRACE(std::string(mix.name) + (sleepable ? ", sleepable" : ""));
            auto peers = mix.peers(n);
            const auto addrs = addresses(peers);
            auto expect_received = [&](bool by_refused) {
                for (size_t i = 0; i < n; i++) {
                    if (i != refused || by_refused) {
                        EXPECT_EQ(peers[i].next(), data) << "member " << i;
                    }
                    EXPECT_TRUE(peers[i].empty()) << "member " << i;
                }
            };
            auto expect_refused = [&](bool is_refused) {
                for (int flags : path_flags) {
                    SCOPED_TRACE(flags);
                    Sender s(mix.domain);
                    ASSERT_EQ(change(s, SO_SETGRP, addrs), 0);
                    for (size_t i = 0; i < n; i++)
                        EXPECT_EQ(send_to(s, addrs[i], flags),
                                  is_refused && i == refused ? -EPERM : length);
                    expect_received(!is_refused);
                    for (unsigned sends = 1; sends <= 2; sends++) {
                        EXPECT_EQ(s.send(data, flags), length);
                        expect_received(!is_refused);
                        const auto stat = s.stat();
                        ASSERT_EQ(stat.members.size(), n);
                        for (size_t i = 0; i < n; i++) {
                            const bool fails = is_refused && i == refused;
                            const auto &m = stat.members[i];
                            EXPECT_EQ(m.sent, fails ? 0 : sends) << "member " << i;
                            EXPECT_EQ(m.failed, fails ? sends : 0) << "member " << i;
                            EXPECT_EQ(m.error, fails ? EPERM : 0) << "member " << i;
                        }
                        EXPECT_EQ(stat.totals.failed, is_refused ? sends : 0);
                        EXPECT_EQ(stat.totals.unreached, 0u);
                    }
                    EXPECT_EQ(s.error(), 0);
                }
            };
            {
                auto program = refusing(addrs[refused].in.sin_port, sleepable);
                Fd link = program.attach_security_module();
                sender([&] { expect_refused(true); });
            }
            // and without the program
            sender([&] { expect_refused(false); });
        }
}

} // namespace
} // namespace selftest
