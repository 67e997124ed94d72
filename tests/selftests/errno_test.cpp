// SPDX-License-Identifier: GPL-2.0-only
// Errors that are seldom met, and flags whose effect is seldom looked at: they are
// what sendto() has, and change nothing.

#include "families.hpp"
#include "ip6.hpp"

#include <climits>
#include <map>

namespace selftest {
namespace {

class Errno : public InBoth, public testing::WithParamInterface<Mix> {
protected:
    Errno() : s(GetParam().domain) {}
    Sender s;
};

INSTANTIATE_TEST_SUITE_P(Of, Errno, testing::ValuesIn(mixes()), name_of);

// A message with this control data to a destination, or without one.
long send(const Sender &s, const std::string &data, Control control, int flags = 0,
          const Address *to = nullptr)
{
    Address copy = to ? *to : Address{};
    iovec iov{const_cast<char *>(data.data()), data.size()};
    msghdr msg{};
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control.size() ? control.data() : nullptr;
    msg.msg_controllen = control.size();
    msg.msg_name = to ? &copy : nullptr;
    msg.msg_namelen = to ? address_length(copy) : 0;
    return result(sendmsg(s.fd(), &msg, flags));
}

// The group before and after what was refused: same members, same counts.
class Same {
public:
    explicit Same(const Sender &s) : sender_(s), members_(members(s)), before_(s.stat()) {}
    ~Same()
    {
        EXPECT_EQ(members(sender_), members_);
        const auto after = sender_.stat();
        EXPECT_EQ(memcmp(&after.totals, &before_.totals, sizeof(after.totals)), 0);
        EXPECT_EQ(memcmp(after.members.data(), before_.members.data(),
                         after.members.size() * sizeof(after.members[0])),
                  0);
    }
    Same(const Same &) = delete;
    Same &operator=(const Same &) = delete;

private:
    const Sender &sender_;
    std::string members_;
    Statistics before_;
};

TEST_P(Errno, MoreControlDataThanThereMayBe)
{
    size_t most = 0;
    std::ifstream("/proc/sys/net/core/optmem_max") >> most;
    ASSERT_GT(most, 1000u);
    auto peers = GetParam().peers(2);
    const auto a = addresses(peers);
    ASSERT_EQ(change(s, SO_SETGRP, a), 0);
    const std::vector<Address> skip(most / sizeof(sockaddr_in) + 1, a[0]);
    const std::string much(most, 'x');
    const auto any = Control().add_raw(SOL_IP, IP_RETOPTS, much.data(), much.size());
    for (const auto &way : ways()) {
        SCOPED_TRACE(way.name);
        {
            Same same(s);
            EXPECT_EQ(send(s, "x", skipping(way.control, skip), way.flags), -ENOBUFS);
            EXPECT_EQ(send(s, "x", any, way.flags), -ENOBUFS);
            EXPECT_EQ(send(s, "x", any, way.flags, &a[0]), -ENOBUFS);
            expect_none(peers);
        }
        // as many as fit are no trouble
        const auto fit = std::span(skip).first(most / 64);
        EXPECT_EQ(send(s, "x", skipping(way.control, fit), way.flags), 1);
        EXPECT_EQ(peers[1].next(), "x");
        expect_none(peers);
    }
}

TEST_P(Errno, ASkipThatIsCutInAnAddress)
{
    auto peers = GetParam().peers(3);
    const auto a = addresses(peers);
    ASSERT_EQ(change(s, SO_SETGRP, a), 0);
    const auto whole = packed(std::span(a).first(2));
    const size_t one = address_length(a[0]);
    for (const auto &way : ways()) {
        for (size_t len = 0; len <= whole.size(); len++) {
            SCOPED_TRACE(std::string(way.name) + ", " + std::to_string(len));
            const bool cut = len && len != one && len != whole.size();
            auto c = Control(way.control).add_raw(SOL_UDP, UDP_GRP_SKIP, whole.data(), len);
            if (cut) {
                Same same(s);
                EXPECT_EQ(send(s, "x", c, way.flags), -EINVAL);
                continue;
            }
            EXPECT_EQ(send(s, "x", c, way.flags), 1);
            for (size_t i = len < one ? 0 : len < whole.size() ? 1 : 2; i < 3; i++)
                EXPECT_EQ(peers[i].next(), "x");
        }
    }
    expect_none(peers);
}

// What a control message says of its own length.
TEST_P(Errno, LengthsThatControlMessagesClaim)
{
    auto peers = GetParam().peers(2);
    const auto a = addresses(peers);
    hold_datagrams(s);
    ASSERT_EQ(change(s, SO_SETGRP, a), 0);
    const auto generation = s.stat().totals.generation;
    for (const auto &way : ways()) {
        const std::pair<const char *, Control> messages[] = {
            {"SKIP", skipping(way.control, {&a[0], 1})},
            {"RANGE", Control(way.control).range(0, 1)},
            {"PRIVATE", Control(way.control).own(generation, 0)},
            {"SPREAD", Control(way.control).spread(1)},
        };
        for (const auto &[what, control] : messages) {
            const size_t at = Control(way.control).size(), has = control.size() - at;
            for (size_t claimed :
                 {size_t{0}, size_t{1}, CMSG_LEN(0) - 1, has + 1, size_t{1} << 31, size_t{1} << 32,
                  (size_t{1} << 32) + has, SIZE_MAX / 2, SIZE_MAX - 7, SIZE_MAX}) {
                SCOPED_TRACE(testing::Message() << way.name << ", " << what << ", " << claimed);
                Same same(s);
                EXPECT_EQ(send(s, "x", Control(control).claim(at, claimed), way.flags), -EINVAL);
            }
        }
    }
    expect_none(peers);
}

TEST_P(Errno, LengthsThatOptionsClaim)
{
    auto peers = GetParam().peers(2);
    ASSERT_EQ(change(s, SO_SETGRP, addresses(peers)), 0);
    struct {
        const char *what;
        int option;
        long set, get; // of a length that is too large
    } options[] = {{"SETGRP", SO_SETGRP, -ENOBUFS, 0},
                   {"ADDGRP", SO_ADDGRP, -ENOBUFS, -ENOPROTOOPT},
                   {"DELGRP", SO_DELGRP, -ENOBUFS, -ENOPROTOOPT},
                   {"GRPSTAT", SO_GRPSTAT, -ENOPROTOOPT, 0},
                   {"GRPFLAGS", SO_GRPFLAGS, -EINVAL, 0}};
    for (const auto &o : options) {
        for (int given : {-1, -16, INT_MIN, INT_MAX, 1 << 30}) {
            SCOPED_TRACE(testing::Message() << o.what << ", " << given);
            Same same(s);
            udp_grpstat buf[8] = {}; // longer than any answer
            buf[0].size = sizeof(buf[0]);
            const auto before = buf[0];
            auto len = static_cast<socklen_t>(given);
            EXPECT_EQ(result(setsockopt(s.fd(), SOL_SOCKET, o.option, buf, len)),
                      given < 0 ? -EINVAL : o.set);
            EXPECT_EQ(result(getsockopt(s.fd(), SOL_SOCKET, o.option, buf, &len)),
                      given < 0 ? -EINVAL : o.get);
            if (given < 0 || o.get) {
                EXPECT_EQ(len, static_cast<socklen_t>(given));
                EXPECT_EQ(memcmp(buf, &before, sizeof(before)), 0);
            } else {
                EXPECT_LE(len, sizeof(buf));
            }
        }
    }
    expect_none(peers);
}

// What sendto() says of segments that cannot be is the member's error.
TEST_P(Errno, SegmentsThatCannotBe)
{
    run("ip link add d8 type dummy && ip link set d8 addrgenmode none up && "
        "ip addr add 10.8.0.1/16 dev d8 && ip addr add fd08::1/64 dev d8 nodad");
    const auto a = GetParam().members({"fd08::2", "fd08::3"}, {"10.8.0.2", "10.8.0.3"});
    constexpr size_t most = 1 << 7;  // UDP_MAX_SEGMENTS
    constexpr uint16_t whole = 1452; // of an MTU, by either family
    struct {
        const char *what;
        size_t size;
        uint16_t segment;
        bool no_sum;
        bool fails;
    } cases[] = {{"all is well", 5000, 1000, false, false},
                 {"segments of 0", 5000, 0, false, false},
                 {"as many as can be", 10 * most, 10, false, false},
                 {"one more", 10 * most + 1, 10, false, true},
                 {"very many", 1000, 1, false, true},
                 {"as long as the MTU", 5000, whole, false, false},
                 {"longer than the MTU", 5000, 1473, false, true},
                 {"longer than any datagram", 5000, 65535, false, true},
                 {"one segment, longer than the MTU", 1900, 2000, false, true},
                 {"no sum", 5000, 1000, true, true},
                 {"no sum, of one segment", 900, 1000, true, true},
                 {"no sum, segments of 0", 500, 0, true, false}};
    for (const auto &c : cases) {
        for (bool option : {false, true}) {
            SCOPED_TRACE(std::string(c.what) + (option ? ", option" : ""));
            Sender one(GetParam().domain);
            ASSERT_EQ(change(one, SO_SETGRP, a), 0);
            ASSERT_EQ(one.option(SOL_SOCKET, SO_NO_CHECK, c.no_sum), 0);
            if (GetParam().domain == AF_INET6) {
                constexpr int udp_no_check6_tx = 101;
                ASSERT_EQ(one.option(SOL_UDP, udp_no_check6_tx, c.no_sum), 0);
            }
            ASSERT_EQ(one.option(SOL_UDP, UDP_SEGMENT, option ? c.segment : 0), 0);
            Control control;
            if (!option)
                control.add(SOL_UDP, UDP_SEGMENT, c.segment);
            const auto data = pattern(c.size);
            std::vector<long> errors;
            for (const auto &to : a) {
                long err = send(one, data, control, 0, &to);
                EXPECT_EQ(err < 0, c.fails) << err;
                errors.push_back(err < 0 ? -err : 0);
            }
            EXPECT_EQ(send(one, data, control), static_cast<long>(c.size));
            const auto stat = one.stat();
            for (size_t i = 0; i < a.size(); i++) {
                EXPECT_EQ(stat.members[i].error, errors[i]) << i;
                EXPECT_EQ(stat.members[i].failed, c.fails) << i;
                EXPECT_EQ(stat.members[i].sent, !c.fails) << i;
            }
            EXPECT_EQ(one.error(), 0);
        }
    }
}

// A segment as the option that cannot be one is refused as ever, and as a control
// message it sends nothing.
TEST_P(Errno, SegmentsThatAreRefused)
{
    auto peers = GetParam().peers(2);
    const auto a = addresses(peers);
    ASSERT_EQ(change(s, SO_SETGRP, a), 0);
    {
        Same same(s);
        for (int segment : {-1, 65536, INT_MIN, INT_MAX})
            EXPECT_EQ(s.option(SOL_UDP, UDP_SEGMENT, segment), -EINVAL) << segment;
        const uint64_t value = 100;
        for (size_t len : {0, 1, 3, 4, 8}) {
            auto c = Control().add_raw(SOL_UDP, UDP_SEGMENT, &value, len);
            EXPECT_EQ(send(s, "x", c, 0, &a[0]), -EINVAL) << len;
            EXPECT_EQ(send(s, "x", c), -EINVAL) << len;
        }
    }
    expect_none(peers);
    EXPECT_EQ(s.send("x"), 1);
    expect_each(peers, "x");
}

// MSG_CONFIRM is news of the neighbour, of every member's, as with sendto(): those
// that were stale are reachable, without asking. Others have nobody to answer for them.
TEST_F(InBoth, ConfirmedNeighboursAreReachable)
{
    NetNs there;
    enable_ip6();
    ns.enter();
    run("ip link add near type veth peer name far netns /proc/" + std::to_string(getpid()) +
        "/fd/" + std::to_string(there.fd()) +
        " && ip link set near addrgenmode none up && ip addr add 10.1.0.1/24 dev near && "
        "ip addr add fd01::1/64 dev near nodad");
    for (const char *ip : {"ipv4", "ipv6"})
        std::ofstream(std::string("/proc/sys/net/") + ip + "/neigh/near/delay_first_probe_time")
            << 2;
    there.enter();
    run("ip link set far up");
    ns.enter();
    // each has neighbours of its own
    struct Case {
        Sender s;
        int flags;
        bool group;
        std::vector<Address> a;
    };
    auto send_once = [](const Case &c) {
        if (c.group) {
            EXPECT_EQ(c.s.send("x", c.flags), 1);
            return;
        }
        for (const auto &to : c.a)
            EXPECT_EQ(result(sendto(c.s.fd(), "x", 1, c.flags, &to.sa, address_length(to))), 1);
    };
    std::vector<Case> cases;
    std::map<std::string, bool> confirmed;
    for (const auto &mix : mixes())
        for (int flags : {0, int{MSG_CONFIRM}})
            for (bool group : {false, true}) {
                const auto n = std::to_string(10 + 2 * cases.size());
                const auto m = std::to_string(11 + 2 * cases.size());
                const auto hosts =
                    mix.hosts_of({"fd01::" + n, "fd01::" + m}, {"10.1.0." + n, "10.1.0." + m});
                Case c{Sender(mix.domain), flags, group, {}};
                for (const auto &host : hosts) {
                    c.a.push_back(either(host, 9));
                    confirmed[host] = flags;
                }
                ASSERT_EQ(change(c.s, SO_SETGRP, c.a), 0);
                cases.push_back(std::move(c));
            }
    auto states = [] {
        std::map<std::string, std::string> of;
        FILE *in = popen("ip neigh show dev near", "r");
        char line[1000], host[100];
        while (fgets(line, sizeof(line), in)) {
            std::istringstream words(line);
            std::string state, word;
            while (words >> word)
                state = word;
            if (sscanf(line, "%99s", host) == 1)
                of[host] = state;
        }
        pclose(in);
        return of;
    };
    std::string stale;
    for (const auto &[host, is_confirmed] : confirmed)
        stale += "neigh replace " + host + " lladdr 02:00:00:00:00:0a nud stale dev near\n";
    // the news must be fresh when the kernel looks: a machine that stands still then
    // is tried again
    auto all_in_time = [&] {
        run("printf '" + stale + "' | ip -batch -");
        auto before = states();
        for (const auto &[host, is_confirmed] : confirmed)
            EXPECT_EQ(before[host], "STALE") << host;
        const bool over = eventually([&] {
            for (const auto &c : cases)
                send_once(c);
            const auto now = states();
            return std::none_of(now.begin(), now.end(),
                                [](const auto &n) { return n.second == "DELAY"; });
        });
        EXPECT_TRUE(over);
        bool all = true;
        auto now = states();
        for (const auto &[host, is_confirmed] : confirmed) {
            const auto &state = now[host];
            if (is_confirmed) {
                all = all && state == "REACHABLE";
            } else {
                EXPECT_TRUE(state == "PROBE" || state == "FAILED" || state == "INCOMPLETE")
                    << host << ' ' << state;
            }
        }
        return all;
    };
    bool all = false;
    for (int i = 0; i < 5 && !all && !HasFailure(); i++)
        all = all_in_time();
    EXPECT_TRUE(all);
    for (const auto &c : cases)
        EXPECT_EQ(c.s.stat().totals.failed, 0u);
}

} // namespace
} // namespace selftest
