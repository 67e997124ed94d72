// SPDX-License-Identifier: GPL-2.0-only
// What a single send is asked for: skip, range, private, spread.

#include "support.hpp"

#include <linux/net_tstamp.h>
#include <netinet/udp.h>
#include <sys/mman.h>
#include <time.h>

#include <array>
#include <limits>

namespace library_test {
namespace {

using namespace std::chrono_literals;
using groupcast::ipv4;

class Request : public testing::Test {
protected:
    Request() : rs_(6), a_(addresses(rs_)) { EXPECT_EQ(s_.set(a_), 0); }

    // Who got this, and nothing else.
    std::vector<size_t> who_got(std::string_view data)
    {
        std::vector<size_t> who;
        for (size_t i = 0; i < rs_.size(); i++) {
            auto got = rs_[i].next(MSG_DONTWAIT);
            if (!got)
                continue;
            EXPECT_EQ(*got, data) << i;
            EXPECT_TRUE(rs_[i].empty()) << i;
            who.push_back(i);
        }
        return who;
    }
    void expect_nothing_sent()
    {
        EXPECT_EQ(s_.totals().sends, 0U);
        EXPECT_EQ(who_got(""), std::vector<size_t>());
    }

    std::vector<Receiver> rs_;
    std::vector<sockaddr_in> a_;
    Sender s_;
};

using Who = std::vector<size_t>;

/* Leaving members out */

TEST_F(Request, SkipLeavesMembersOut)
{
    EXPECT_EQ(s_.send_with("data", {.skip = a_[2]}), 4);
    EXPECT_EQ(who_got("data"), (Who{0, 1, 3, 4, 5}));
    // In any order, and more than once; strangers do not matter
    EXPECT_EQ(s_.send_with("data", {.skip = {a_[5], many(1)[0], a_[0], a_[5]}}), 4);
    EXPECT_EQ(who_got("data"), (Who{1, 2, 3, 4}));
    EXPECT_EQ(s_.send_with("data", {.skip = many(3)}), 4);
    EXPECT_EQ(who_got("data"), (Who{0, 1, 2, 3, 4, 5}));

    auto stat = s_.stat();
    EXPECT_EQ(stat.totals.sends, 3U);
    EXPECT_EQ(stat.totals.sent, 15U);
    EXPECT_EQ(stat.totals.skipped, 3U);
    EXPECT_EQ(stat.totals.unreached, 0U);
    for (size_t i = 0; i < 6; i++) {
        bool skipped = i == 0 || i == 2 || i == 5;
        EXPECT_EQ(stat.members[i].skipped, skipped ? 1U : 0U) << i;
        EXPECT_EQ(stat.members[i].sent, skipped ? 2U : 3U) << i;
    }
}

TEST_F(Request, SkipOfAllIsASend)
{
    EXPECT_EQ(s_.send_with("data", {.skip = a_}), 4);
    EXPECT_EQ(who_got("data"), Who());
    EXPECT_EQ(s_.totals().sends, 1U);
    EXPECT_EQ(s_.totals().skipped, 6U);
}

TEST_F(Request, SkipOfWhoHasLeft)
{
    ASSERT_EQ(s_.del({a_[1], a_[5]}), 0);
    EXPECT_EQ(s_.send_with("data", {.skip = {a_[1], a_[2], a_[5]}}), 4);
    EXPECT_EQ(who_got("data"), (Who{0, 3, 4}));
    EXPECT_EQ(s_.totals().skipped, 1U);
    EXPECT_EQ(s_.totals().holes, 1U);
}

TEST_F(Request, SkipOutsideTheRangeDoesNotCount)
{
    EXPECT_EQ(s_.send_with("data", {.skip = {a_[0], a_[2], a_[4]}, .range = {1, 3}}), 4);
    EXPECT_EQ(who_got("data"), (Who{1, 3}));
    EXPECT_EQ(s_.totals().skipped, 1U);
}

TEST_F(Request, SkipTakesAddressesAsSetDoes)
{
    auto skip = [&](auto addr, size_t cut = 0) {
        auto bytes = std::as_bytes(std::span(&addr, 1));
        auto part = bytes.first(bytes.size() - cut);
        return Message("x").add_bytes(IPPROTO_UDP, UDP_GRP_SKIP, part).send(s_);
    };
    EXPECT_EQ(skip(a_[0], 1), -EINVAL);
    EXPECT_EQ(skip(ipv4("127.0.0.1", 0)), -EINVAL);
    EXPECT_EQ(skip(groupcast::ipv6("::1", 9)), -EAFNOSUPPORT);
    // How they are packed is told before a port
    const std::array<sockaddr_in, 2> both{ipv4("127.0.0.1", 0), a_[0]};
    EXPECT_EQ(skip(both), -EINVAL);
    auto of_another = both;
    of_another[1].sin_family = AF_INET6;
    EXPECT_EQ(skip(of_another), -EAFNOSUPPORT);
    expect_nothing_sent();
    EXPECT_EQ(skip(a_[0], sizeof(a_[0])), 1);
    EXPECT_EQ(who_got("x"), (Who{0, 1, 2, 3, 4, 5}));
}

// Each costs the same, however many members there are and are skipped.
TEST(RequestSize, SkipOfThousands)
{
    Sender s;
    auto a = many(UDP_GROUP_MAX_MEMBERS);
    Receiver r;
    a[40000] = r.address();
    ASSERT_EQ(s.set(a), 0);
    // As many as a control message has room for, whatever the limit is set to
    std::span<const sockaddr_in> skip(a);
    EXPECT_EQ(s.send_with("data", {.skip = skip.subspan(39500, 500), .range = {39500, 501}}), 4);
    EXPECT_EQ(r.next(), "data");
    EXPECT_EQ(s.totals().skipped, 500U);
    EXPECT_EQ(s.totals().sent, 1U);
}

/* Slots */

TEST_F(Request, RangeIsTheseSlots)
{
    EXPECT_EQ(s_.send_with("data", {.range = {2, 3}}), 4);
    EXPECT_EQ(who_got("data"), (Who{2, 3, 4}));
    EXPECT_EQ(s_.send_with("data", {.range = {4, 0}}), 4);
    EXPECT_EQ(who_got("data"), (Who{4, 5}));
    const uint32_t max = std::numeric_limits<uint32_t>::max();
    EXPECT_EQ(s_.send_with("data", {.range = {5, max}}), 4);
    EXPECT_EQ(who_got("data"), (Who{5}));
    EXPECT_EQ(s_.totals().unreached, 0U) << "who is not in the range was not to be reached";

    EXPECT_EQ(s_.send_with("data", {.range = {6, 0}}), -EDESTADDRREQ);
    EXPECT_EQ(s_.send_with("data", {.range = {max, max}}), -EDESTADDRREQ);
    EXPECT_EQ(who_got("data"), Who());
    EXPECT_EQ(s_.totals().sends, 3U);
}

TEST_F(Request, RangeCountsItsHoles)
{
    ASSERT_EQ(s_.del({a_[1], a_[3]}), 0);
    EXPECT_EQ(s_.send_with("data", {.range = {2, 3}}), 4);
    EXPECT_EQ(who_got("data"), (Who{2, 4}));
    EXPECT_EQ(s_.totals().holes, 1U);
    EXPECT_EQ(s_.send_with("data", {.range = {3, 1}}), 4);
    EXPECT_EQ(who_got("data"), Who());
    EXPECT_EQ(s_.totals().holes, 2U);
    EXPECT_EQ(s_.totals().sends, 2U);
}

/* A part for each */

std::string own_part(size_t slot)
{
    std::string text = std::to_string(slot);
    return std::string(8 - text.size(), '.') + text;
}

std::string own_parts(size_t first, size_t count)
{
    std::string parts;
    for (size_t slot = first; slot < first + count; slot++)
        parts += own_part(slot);
    return parts;
}

groupcast::prefixes prefixes(const std::string &parts, uint64_t generation)
{
    return {std::as_bytes(std::span(parts)), 8, generation};
}

TEST_F(Request, PrivateGoesBeforeWhatIsShared)
{
    auto parts = own_parts(0, 6);
    EXPECT_EQ(s_.send_with(" shared", {.prefixes = prefixes(parts, 1)}), 55);
    for (size_t i = 0; i < 6; i++)
        EXPECT_EQ(rs_[i].next(), own_part(i) + " shared");
    // Nothing need be shared
    EXPECT_EQ(s_.send_with("", {.prefixes = prefixes(parts, 1)}), 48);
    for (size_t i = 0; i < 6; i++)
        EXPECT_EQ(rs_[i].next(), own_part(i));
    ASSERT_EQ(s_.set_flags(GRP_F_COUNT), 0);
    EXPECT_EQ(s_.send_with(" shared", {.prefixes = prefixes(parts, 1)}), 6);
    EXPECT_EQ(s_.totals().sent, 18U);
}

TEST_F(Request, PrivateIsForEachSlotOfTheRange)
{
    ASSERT_EQ(s_.del(a_[2]), 0);
    auto parts = own_parts(1, 4);
    EXPECT_EQ(s_.send_with(" x", {.skip = a_[3], .range = {1, 0}, .prefixes = prefixes(parts, 2)}),
              34);
    EXPECT_EQ(rs_[1].next(), own_part(1) + " x");
    EXPECT_EQ(rs_[4].next(), own_part(4) + " x");
    EXPECT_EQ(who_got(""), Who());
    EXPECT_EQ(s_.totals().holes, 1U);
    EXPECT_EQ(s_.totals().skipped, 1U);
}

TEST_F(Request, PrivateOfAnotherGenerationIsStale)
{
    auto parts = own_parts(0, 6);
    EXPECT_EQ(s_.send_with("x", {.prefixes = prefixes(parts, 0)}), -ESTALE);
    EXPECT_EQ(s_.send_with("x", {.prefixes = prefixes(parts, 2)}), -ESTALE);
    ASSERT_EQ(s_.del(a_[5]), 0);
    EXPECT_EQ(s_.send_with("x", {.prefixes = prefixes(parts, 1)}), -ESTALE);
    // First of all, before the range is looked at
    EXPECT_EQ(s_.send_with("x", {.range = {99, 0}, .prefixes = prefixes(parts, 1)}), -ESTALE);
    expect_nothing_sent();
}

ssize_t send_private(const Sender &s, size_t len, udp_grp_private own, udp_grp_range range = {})
{
    return Message(std::string(len, 'x'))
        .add(IPPROTO_UDP, UDP_GRP_PRIVATE, own)
        .add(IPPROTO_UDP, UDP_GRP_RANGE, range)
        .send(s);
}

TEST_F(Request, PrivateThatDoesNotFit)
{
    EXPECT_EQ(send_private(s_, 47, {1, 8, 0}), -EINVAL) << "less data than prefixes";
    EXPECT_EQ(send_private(s_, 23, {1, 8, 0}, {3, 0}), -EINVAL);
    EXPECT_EQ(send_private(s_, 100, {1, 8, 1}), -EINVAL) << "reserved";
    EXPECT_EQ(send_private(s_, 100, {1, 8, 0}, {7, 0}), -EINVAL) << "no such slot";
    EXPECT_EQ(send_private(s_, 100, {1, 8, 0}, {0, 7}), -EINVAL);
    EXPECT_EQ(send_private(s_, 100, {1, 8, 0}, {5, 2}), -EINVAL);
    EXPECT_EQ(send_private(s_, 100, {1, 8, 0}, {6, 0}), -EDESTADDRREQ);
    EXPECT_EQ(send_private(s_, size_t{6} * 60000, {1, 60000, 0}), 360000);
    EXPECT_EQ(s_.totals().sent, 6U);
    EXPECT_EQ(send_private(s_, size_t{6} * 60000 + 5536, {1, 60000, 0}), -EMSGSIZE);
    EXPECT_EQ(send_private(s_, size_t{6} * 65536, {1, 65536, 0}), -EMSGSIZE);
    EXPECT_EQ(send_private(s_, 100, {1, 0xffffffff, 0}), -EINVAL);
    EXPECT_EQ(s_.totals().sends, 1U);
    const char data[100] = {};
    for (uint32_t length : {8, 0})
        EXPECT_EQ(Message({data, 100})
                      .add(IPPROTO_UDP, UDP_GRP_PRIVATE, udp_grp_private{1, length, 0})
                      .send(s_, MSG_ZEROCOPY),
                  -EOPNOTSUPP)
            << length;
}

TEST_F(Request, TooMuchData)
{
    // The same page, so often that it is more than may be
    std::string page(65537, 'x');
    std::vector<iovec> pieces(1024, {page.data(), page.size()});
    udp_grp_private own{1, 1, 0};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(own))] = {};
    msghdr msg{};
    msg.msg_iov = pieces.data();
    msg.msg_iovlen = pieces.size();
    msg.msg_control = control;
    msg.msg_controllen = sizeof(control);
    cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
    cmsg->cmsg_level = IPPROTO_UDP;
    cmsg->cmsg_type = UDP_GRP_PRIVATE;
    cmsg->cmsg_len = CMSG_LEN(sizeof(own));
    std::memcpy(CMSG_DATA(cmsg), &own, sizeof(own));
    EXPECT_EQ(groupcast_sendmsg(s_.group(), &msg, 0), -EMSGSIZE);
    expect_nothing_sent();
}

// However the data are cut into pieces.
TEST_F(Request, PrivateInManyPieces)
{
    const std::string data = own_parts(0, 6) + "what is shared";
    for (size_t cut : {1, 3, 5, 8, 13, 48, 49}) {
        std::vector<iovec> pieces;
        for (size_t at = 0; at < data.size(); at += cut) {
            pieces.push_back(
                {const_cast<char *>(data.data()) + at, std::min(cut, data.size() - at)});
            pieces.push_back({nullptr, 0});
        }
        udp_grp_private own{1, 8, 0};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(own))] = {};
        msghdr msg{};
        msg.msg_iov = pieces.data();
        msg.msg_iovlen = pieces.size();
        msg.msg_control = control;
        msg.msg_controllen = sizeof(control);
        cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = IPPROTO_UDP;
        cmsg->cmsg_type = UDP_GRP_PRIVATE;
        cmsg->cmsg_len = CMSG_LEN(sizeof(own));
        std::memcpy(CMSG_DATA(cmsg), &own, sizeof(own));
        ASSERT_EQ(groupcast_sendmsg(s_.group(), &msg, 0), 62);
        for (size_t i = 0; i < 6; i++)
            EXPECT_EQ(rs_[i].next(), own_part(i) + "what is shared") << "cut " << cut;
    }
}

TEST_F(Request, PrivateThatCannotBeRead)
{
    void *page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    groupcast_send_options options{};
    options.size = sizeof(options);
    options.prefixes = page;
    options.prefixes_len = 48;
    options.prefix_len = 8;
    options.generation = 1;
    EXPECT_EQ(groupcast_send_with(s_.group(), "x", 1, 0, &options), -EFAULT);
    munmap(page, 4096);
    expect_nothing_sent();
}

// Behind what one system call takes, too.
TEST(RequestSize, PrivateOfThousands)
{
    constexpr size_t n = 2500;
    Receiver sink("0.0.0.0");
    ASSERT_EQ(set_option(sink.fd(), SOL_SOCKET, SO_RCVBUFFORCE, 1 << 23), 0);
    std::vector<sockaddr_in> a(n, sink.address());
    for (size_t i = 0; i < n; i++)
        a[i].sin_addr.s_addr = htonl(0x7f010001U + static_cast<uint32_t>(i));
    Sender s;
    ASSERT_EQ(s.set(a), 0);
    auto parts = own_parts(0, n);
    EXPECT_EQ(s.send_with("!", {.prefixes = prefixes(parts, 1)}), 8 * ssize_t{n} + 1);
    for (size_t i = 0; i < n; i++)
        ASSERT_EQ(sink.next(), own_part(i) + "!");
}

/* Over time */

void set_txtime(const Sender &s, clockid_t clock)
{
    sock_txtime txtime{};
    txtime.clockid = clock;
    ASSERT_EQ(setsockopt(s.fd(), SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)), 0);
}

TEST_F(Request, SpreadNeedsTxtime)
{
    EXPECT_EQ(s_.send_with("data", {.spread = 1ms}), -EINVAL);
    expect_nothing_sent();
    auto no_spread = Message("data").add(IPPROTO_UDP, UDP_GRP_SPREAD, uint64_t{0});
    EXPECT_EQ(no_spread.send(s_), 4);
    EXPECT_EQ(who_got("data"), (Who{0, 1, 2, 3, 4, 5}));
    set_txtime(s_, CLOCK_MONOTONIC);
    EXPECT_EQ(s_.send_with("data", {.spread = 1ms}), 4);
    EXPECT_EQ(who_got("data"), (Who{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(no_spread.send(s_), 4);
    EXPECT_EQ(who_got("data"), (Who{0, 1, 2, 3, 4, 5}));
}

TEST_F(Request, SpreadHasItsLimits)
{
    set_txtime(s_, CLOCK_MONOTONIC);
    EXPECT_EQ(s_.send_with("data", {.spread = 1h + 1ns}), -EINVAL);
    EXPECT_EQ(s_.send_with("data", {.spread = -1ns}), -EINVAL);
    auto with_txtime = [&](uint64_t spread) {
        return Message("data")
            .add(SOL_SOCKET, SCM_TXTIME, uint64_t{1})
            .add(IPPROTO_UDP, UDP_GRP_SPREAD, spread)
            .send(s_);
    };
    EXPECT_EQ(with_txtime(1), -EINVAL);
    expect_nothing_sent();
    EXPECT_EQ(with_txtime(0), 4);
    EXPECT_EQ(who_got("data"), (Who{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(s_.send_with("data", {.spread = 1h}), 4);
    EXPECT_EQ(who_got("data"), (Who{0, 1, 2, 3, 4, 5}));
}

/* All of them */

TEST_F(Request, GoTogetherAndWithOthers)
{
    set_txtime(s_, CLOCK_MONOTONIC);
    for (const auto &r : rs_)
        ASSERT_EQ(set_option(r.fd(), IPPROTO_IP, IP_RECVTTL, 1), 0);
    auto parts = own_parts(1, 4);
    auto skip = std::as_bytes(std::span(&a_[3], 1));
    EXPECT_EQ(Message(parts + "shared")
                  .add(IPPROTO_UDP, UDP_GRP_PRIVATE, udp_grp_private{1, 8, 0})
                  .add(IPPROTO_IP, IP_TTL, 9)
                  .add_bytes(IPPROTO_UDP, UDP_GRP_SKIP, skip)
                  .add(IPPROTO_UDP, UDP_GRP_SPREAD, uint64_t{1000})
                  .add(IPPROTO_UDP, UDP_GRP_RANGE, udp_grp_range{1, 4})
                  .send(s_),
              38);
    for (size_t i : {1, 2, 4}) {
        char data[64];
        alignas(cmsghdr) char control[64];
        iovec iov{data, sizeof(data)};
        msghdr msg{};
        msg.msg_iov = &iov;
        msg.msg_iovlen = 1;
        msg.msg_control = control;
        msg.msg_controllen = sizeof(control);
        ASSERT_EQ(recvmsg(rs_[i].fd(), &msg, 0), 14);
        EXPECT_EQ(std::string(data, 14), own_part(i) + "shared");
        cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        ASSERT_NE(cmsg, nullptr);
        int ttl = 0;
        std::memcpy(&ttl, CMSG_DATA(cmsg), sizeof(ttl));
        EXPECT_EQ(ttl, 9);
    }
    EXPECT_EQ(who_got(""), Who());
}

TEST_F(Request, EachOnceAndOfItsLength)
{
    auto skip = std::as_bytes(std::span(&a_[0], 1));
    const udp_grp_range range{0, 1};
    const udp_grp_private own{1, 1, 0};
    EXPECT_EQ(Message("x")
                  .add_bytes(IPPROTO_UDP, UDP_GRP_SKIP, skip)
                  .add_bytes(IPPROTO_UDP, UDP_GRP_SKIP, skip)
                  .send(s_),
              -EINVAL);
    EXPECT_EQ(Message("x")
                  .add(IPPROTO_UDP, UDP_GRP_RANGE, range)
                  .add(IPPROTO_UDP, UDP_GRP_RANGE, range)
                  .send(s_),
              -EINVAL);
    EXPECT_EQ(Message("xxxxxx")
                  .add(IPPROTO_UDP, UDP_GRP_PRIVATE, own)
                  .add(IPPROTO_UDP, UDP_GRP_PRIVATE, own)
                  .send(s_),
              -EINVAL);
    for (int type : {UDP_GRP_RANGE, UDP_GRP_PRIVATE, UDP_GRP_SPREAD}) {
        EXPECT_EQ(Message("x").add(IPPROTO_UDP, type, uint32_t{0}).send(s_), -EINVAL) << type;
        EXPECT_EQ(Message("x").add(IPPROTO_UDP, type, udp_grpstat{}).send(s_), -EINVAL) << type;
    }
    EXPECT_EQ(Message("x").add(IPPROTO_UDP, UDP_GRP_RANGE, range).cut(1).send(s_), -EINVAL);
    expect_nothing_sent();
}

TEST_F(Request, NotWithADestination)
{
    EXPECT_EQ(Message("x").add(IPPROTO_UDP, UDP_GRP_RANGE, udp_grp_range{0, 1}).to(a_[0]).send(s_),
              -EINVAL);
    Sender without;
    EXPECT_EQ(
        Message("x").add(IPPROTO_UDP, UDP_GRP_RANGE, udp_grp_range{0, 1}).to(a_[0]).send(without),
        -EINVAL);
    expect_nothing_sent();
}

TEST_F(Request, WrongControlMessageOfOthers)
{
    EXPECT_EQ(Message("x")
                  .add(IPPROTO_UDP, UDP_GRP_RANGE, udp_grp_range{0, 1})
                  .add(IPPROTO_IP, IP_TTL, 256)
                  .send(s_),
              -EINVAL);
    EXPECT_EQ(Message("x").add(IPPROTO_UDP, UDP_GRP_SPREAD + 1, 1).send(s_), -EINVAL);
    expect_nothing_sent();
}

/* struct groupcast_send_options */

TEST_F(Request, OptionsHaveASize)
{
    struct {
        groupcast_send_options options;
        uint64_t unknown;
    } newer{};
    auto &options = newer.options;
    auto send = [&] { return groupcast_send_with(s_.group(), "x", 1, 0, &options); };
    options.range = {1, 2};
    EXPECT_EQ(send(), -EINVAL);
    options.size = sizeof(options) - 1;
    EXPECT_EQ(send(), -EINVAL);
    options.size = sizeof(newer);
    newer.unknown = 1;
    EXPECT_EQ(send(), -E2BIG);
    options.size = sizeof(options);
    options.reserved = 1;
    EXPECT_EQ(send(), -EINVAL);
    expect_nothing_sent();

    options.reserved = 0;
    EXPECT_EQ(send(), 1);
    EXPECT_EQ(who_got("x"), (Who{1, 2}));
    options.size = sizeof(newer);
    newer.unknown = 0;
    EXPECT_EQ(send(), 1);
    EXPECT_EQ(who_got("x"), (Who{1, 2}));
    EXPECT_EQ(groupcast_send_with(s_.group(), "x", 1, 0, nullptr), 1);
    EXPECT_EQ(who_got("x"), (Who{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(groupcast_send_with(s_.group(), "x", 1, MSG_MORE, nullptr), -EOPNOTSUPP);
    EXPECT_EQ(groupcast_send_with(s_.group(), "x", 1, MSG_MORE, &options), -EOPNOTSUPP);
    EXPECT_EQ(groupcast_send_with(nullptr, "x", 1, 0, &options), -EINVAL);
}

TEST_F(Request, OptionsThatContradict)
{
    const std::string parts = own_parts(0, 6);
    groupcast_send_options valid{};
    valid.size = sizeof(valid);
    valid.prefixes = parts.data();
    valid.prefixes_len = parts.size();
    valid.prefix_len = 8;
    valid.generation = 1;
    auto send = [&](const groupcast_send_options &options) {
        return groupcast_send_with(s_.group(), "x", 1, 0, &options);
    };
    auto options = valid;
    options.prefix_len = 7;
    EXPECT_EQ(send(options), -EINVAL);
    options.prefix_len = 0;
    EXPECT_EQ(send(options), -EINVAL);
    options = valid;
    options.range.count = 5;
    EXPECT_EQ(send(options), -EINVAL);
    options = valid;
    options.prefixes_len = 0;
    EXPECT_EQ(send(options), -EINVAL) << "prefixes for nobody";
    options = valid;
    options.prefixes = nullptr;
    EXPECT_EQ(send(options), -EFAULT);
    options = {};
    options.size = sizeof(options);
    options.skip_len = 16;
    EXPECT_EQ(send(options), -EFAULT);
    expect_nothing_sent();

    // Prefixes say for how many slots it is
    options = valid;
    options.prefixes_len = 16;
    EXPECT_EQ(send(options), 17);
    EXPECT_EQ(rs_[0].next(), own_part(0) + "x");
    EXPECT_EQ(rs_[1].next(), own_part(1) + "x");
    EXPECT_EQ(who_got(""), Who());
}

} // namespace
} // namespace library_test
