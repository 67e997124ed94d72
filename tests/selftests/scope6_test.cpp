// SPDX-License-Identifier: GPL-2.0-only
// Link-local members: the address means nothing without an interface, which the
// member, the message or the socket can name.

#include "ip6.hpp"

namespace selftest {
namespace {

// Two links, near1 to far1 and near2 to far2: fe80::1 and fe80::2 are on both,
// fe80::a is on near1 alone.
class Scope6 : public Ip6 {
protected:
    void SetUp() override
    {
        enable_ip6(); // in the peer, which was made last
        ns.enter();
        Ip6::SetUp();
        for (const char *i : {"1", "2"}) {
            const std::string n(i);
            run("ip link add near" + n + " type veth peer name far" + n + " netns /proc/" +
                std::to_string(getpid()) + "/fd/" + std::to_string(peer.fd()));
            run("ip link set near" + n + " addrgenmode none up");
            run("ip addr add fe80::1/64 dev near" + n + " nodad");
            peer.enter();
            run("ip link set far" + n + " addrgenmode none up");
            run("ip addr add fe80::2/64 dev far" + n + " nodad");
            far.push_back(std::make_unique<Receiver6>(
                ip6("fe80::2", 4000, if_nametoindex(("far" + n).c_str()))));
            ns.enter();
        }
        run("ip addr add fe80::a/64 dev near1 nodad");
        near1 = if_nametoindex("near1");
        near2 = if_nametoindex("near2");
    }
    static sockaddr_in6 on(uint32_t link) { return ip6("fe80::2", 4000, link); }
    static Control source(const char *address, uint32_t link = 0)
    {
        in6_pktinfo info{};
        info.ipi6_addr = ip6(address, 0).sin6_addr;
        info.ipi6_ifindex = link;
        return std::move(Control().add(IPPROTO_IPV6, IPV6_PKTINFO, info));
    }
    // What each link has got, 1 and 2, and nothing else.
    void expect(const std::string &data, const std::vector<int> &links)
    {
        for (int link : {1, 2}) {
            auto &r = *far[static_cast<size_t>(link - 1)];
            if (std::find(links.begin(), links.end(), link) != links.end()) {
                EXPECT_EQ(r.next(), data) << link;
            }
            EXPECT_TRUE(r.empty()) << link;
        }
    }

    NetNs peer;
    std::vector<std::unique_ptr<Receiver6>> far;
    uint32_t near1 = 0, near2 = 0;
};

TEST_F(Scope6, TellsMembersApart)
{
    Sender s(AF_INET6);
    ASSERT_EQ(set(s, SO_SETGRP, Packed().add(on(near1)).add(on(near2))), 0);
    EXPECT_EQ(s.send("x"), 1);
    expect("x", {1, 2});
    ASSERT_EQ(set(s, SO_DELGRP, Packed().add(on(near1))), 0);
    EXPECT_EQ(s.send("y"), 1);
    expect("y", {2});
}

// A source address that needs an interface has that of the member.
TEST_F(Scope6, OfTheSourceIsTheMembers)
{
    Sender s(AF_INET6);
    ASSERT_EQ(set(s, SO_SETGRP, Packed().add(on(near1)).add(on(near2))), 0);
    EXPECT_EQ(Message("both", source("fe80::1")).send(s), 4);
    expect("both", {1, 2});
    EXPECT_EQ(Message("one", source("fe80::a")).send(s), 3);
    expect("one", {1});
    auto stat = s.stat();
    EXPECT_EQ(stat.members[0].failed, 0u);
    EXPECT_EQ(stat.members[1].failed, 1u);
    EXPECT_EQ(stat.members[1].error, EINVAL);
    // no member has an interface with this one
    EXPECT_EQ(Message("none", source("fe80::b")).send(s), -EINVAL);
    expect("none", {});
}

// The socket's own interface is for members that name none.
TEST_F(Scope6, GoesBeforeTheSockets)
{
    Sender s(AF_INET6);
    in6_pktinfo sticky{};
    sticky.ipi6_ifindex = static_cast<int>(near1);
    ASSERT_EQ(setsockopt(s.fd(), IPPROTO_IPV6, IPV6_PKTINFO, &sticky, sizeof(sticky)), 0);
    ASSERT_EQ(set(s, SO_SETGRP, Packed().add(on(0)).add(on(near2))), 0);
    EXPECT_EQ(s.send("x"), 1);
    expect("x", {1, 2});
    EXPECT_EQ(Message("y", source("::", near2)).send(s), 1);
    expect("y", {2});
    EXPECT_EQ(s.stat().members[0].error, EINVAL);
    EXPECT_EQ(Message("z", source("fe80::a")).send(s), 1);
    expect("z", {1});
    EXPECT_EQ(s.stat().members[1].error, EINVAL);
}

// A member that leaves its interface to the socket is heard on one.
TEST_F(Scope6, IsInWhatIsHeard)
{
    Sender s(AF_INET6);
    ASSERT_EQ(setsockopt(s.fd(), SOL_SOCKET, SO_BINDTODEVICE, "near1", 5), 0);
    auto any = ip6("fe80::1", 5000, near1);
    ASSERT_EQ(bind(s.fd(), reinterpret_cast<sockaddr *>(&any), sizeof(any)), 0);
    ASSERT_EQ(set(s, SO_SETGRP, Packed().add(on(0)).add(ip6("fe80::3", 4000))), 0);

    auto back = ip6("fe80::1", 5000, 0);
    back.sin6_scope_id = far[0]->address().sin6_scope_id;
    ASSERT_EQ(
        sendto(far[0]->fd(), "hello", 5, 0, reinterpret_cast<sockaddr *>(&back), sizeof(back)), 5);
    char data[8];
    sockaddr_in6 from{};
    socklen_t len = sizeof(from);
    ASSERT_EQ(recvfrom(s.fd(), data, sizeof(data), 0, reinterpret_cast<sockaddr *>(&from), &len),
              5);
    ASSERT_EQ(from.sin6_scope_id, near1);

    EXPECT_EQ(Message("x", Control().add_raw(SOL_UDP, UDP_GRP_SKIP, &from, sizeof(from))).send(s),
              1);
    expect("x", {});
    EXPECT_EQ(s.stat().members[0].skipped, 1u);
    EXPECT_EQ(s.send("y"), 1);
    expect("y", {1});
    // one that is a member with its scope id is that one
    ASSERT_EQ(set(s, SO_ADDGRP, Packed().add(from)), 0);
    ASSERT_EQ(set(s, SO_DELGRP, Packed().add(from)), 0);
    EXPECT_EQ(s.stat().members.at(0).addr.in6.sin6_scope_id, 0u);
    ASSERT_EQ(set(s, SO_DELGRP, Packed().add(from)), 0);
    EXPECT_EQ(members(s), Packed().add(ip6("fe80::3", 4000)).bytes());
}

} // namespace
} // namespace selftest
