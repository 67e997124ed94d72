// SPDX-License-Identifier: GPL-2.0-only
// XDP programs at the peer's device, which is where the members' datagrams meet
// memory that is not the sender's: what they do to one they do to no other.

#include "egress.hpp"

#include <linux/if_link.h>

namespace selftest {
namespace {

class Xdp : public Egress {
protected:
    // How much of a frame is before the data.
    int headers() const { return 14 + header_length() + 8; }
    // At a datagram to this member, if it is long enough to have the bytes: r2 is
    // where it begins, with the Ethernet header.
    Program at_member(size_t member, int bytes, const std::vector<bpf_insn> &then) const
    {
        const int skip = static_cast<int>(then.size());
        std::vector<bpf_insn> insns{
            load(r2, r1, offsetof(xdp_md, data)),
            load(r3, r1, offsetof(xdp_md, data_end)),
            copy(r4, r2),
            add(r4, bytes),
            insn(BPF_JMP | BPF_JGT | BPF_X, r4, r3, skip + 2, 0),
            load_half(r4, r2, static_cast<size_t>(headers()) - 6),
            skip_unless(r4, rs_[member].address().in.sin_port, skip),
        };
        insns.insert(insns.end(), then.begin(), then.end());
        insns.push_back(set(r0, XDP_PASS));
        insns.push_back(leave());
        return {BPF_PROG_TYPE_XDP, BPF_XDP, insns};
    }
    Fd attach(const Program &program, uint32_t mode) const
    {
        peer_->enter();
        auto link = program.attach_xdp("far", mode);
        ns.enter();
        return link;
    }
};

INSTANTIATE_TEST_SUITE_P(By, Xdp, testing::ValuesIn(behind()), testing::PrintToStringParamName());

// In the driver of a veth pair's far end, and in front of it.
constexpr uint32_t modes[] = {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};

// One's datagram is dropped, which nobody is told. Another's is written into: members'
// datagrams share the pages of the data, and it is in no other.
TEST_P(Xdp, ThePeersDeviceActsOnMembers)
{
    // behind the headers: far beyond what is in a head of its own
    constexpr int at = 1000;
    const std::string sent = pattern(1400), written = swapped(sent, at);
    const auto where = static_cast<size_t>(headers()) + at;
    const auto drop = at_member(2, headers(), {set(r0, XDP_DROP), leave()});
    const auto write = at_member(1, headers() + at + 4,
                                 {load_half(r3, r2, where), load_half(r4, r2, where + 2),
                                  store_half(r2, r4, where), store_half(r2, r3, where + 2),
                                  set(r0, XDP_PASS), leave()});
    for (uint32_t mode : modes) {
        SCOPED_TRACE(mode);
        {
            auto link = attach(drop, mode);
            sender([&] {
                send_each_way(data, [&] { expect_received(rs_, {0, 0, -1, 0, 0, 0, 0}); });
            });
        }
        auto link = attach(write, mode);
        sender([&] {
            send_each_way(sent, [&] {
                for (size_t i = 0; i < rs_.size(); i++) {
                    EXPECT_TRUE(rs_[i].next() == (i == 1 ? written : sent)) << "member " << i;
                    EXPECT_TRUE(rs_[i].empty()) << "member " << i;
                }
            });
        });
    }
}

} // namespace
} // namespace selftest
