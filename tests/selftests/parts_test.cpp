// SPDX-License-Identifier: GPL-2.0-only
// What exists composes with what is asked of a single send: segments, zero copy,
// time stamps, departure times, pipes.

#include "messages.hpp"

#include <sys/mman.h>
#include <sys/sendfile.h>

#include <csignal>

namespace selftest {
namespace {

class Parts : public InNamespace {
protected:
    Parts() : rs(5), a(addresses(rs))
    {
        if (s.set(a) || s.leave({&a[1], 1}))
            throw std::runtime_error("group");
        generation = s.stat().totals.generation;
    }
    // All but the hole and one more, of slots 1 to 4.
    Control part() { return Control().range(1, 4).skip({&a[3], 1}); }
    void expect_part(std::string_view to2, std::string_view to4)
    {
        EXPECT_EQ(rs[2].next(), to2);
        EXPECT_EQ(rs[4].next(), to4);
    }
    std::vector<Receiver> rs;
    std::vector<sockaddr_in> a;
    Sender s;
    uint64_t generation;
};

TEST_F(Parts, InSegments)
{
    const std::string data = pattern(2500);
    // one that says it, and a socket that has it
    for (bool option : {false, true}) {
        auto c = part();
        if (!option)
            c.add(SOL_UDP, UDP_SEGMENT, uint16_t{1000});
        ASSERT_EQ(s.option(SOL_UDP, UDP_SEGMENT, option ? 1000 : 0), 0);
        EXPECT_EQ(Message(data, c).send(s), 2500);
        for (size_t at : {0, 1000, 2000})
            expect_part(data.substr(at, 1000), data.substr(at, 1000));
        expect_none(rs);

        // the prefix is a part of the first segment
        std::string prefixes(size_t{4} * 7, 'x');
        for (size_t i = 0; i < prefixes.size(); i++)
            prefixes[i] = static_cast<char>('a' + i / 7);
        c.own(generation, 7);
        EXPECT_EQ(Message(prefixes + data, c).send(s), 2528);
        std::string b = std::string(7, 'b') + data, d = std::string(7, 'd') + data;
        for (size_t at : {0, 1000, 2000})
            expect_part(b.substr(at, 1000), d.substr(at, 1000));
        expect_none(rs);
    }
    auto t = s.stat().totals;
    EXPECT_EQ(t.sent, 8u);
    EXPECT_EQ(t.skipped, 4u);
    EXPECT_EQ(t.holes, 4u);
}

// As many notifications as datagrams, with numbers that have no gaps.
TEST_F(Parts, WithoutACopy)
{
    ASSERT_EQ(s.option(SOL_SOCKET, SO_ZEROCOPY, 1), 0);
    uint32_t id = 0;
    for (uint32_t flags : {0u, GRP_F_COUNT}) {
        ASSERT_EQ(s.set_flags(flags), 0);
        for (size_t size : {100, 20000}) {
            SCOPED_TRACE(size);
            const std::string data = pattern(size);
            EXPECT_EQ(Message(data, part()).send(s, MSG_ZEROCOPY),
                      flags ? 4 : static_cast<long>(size));
            expect_part(data, data);
            expect_none(rs);
            for (uint32_t last = id + 2; id < last;) {
                auto n = queued_error(s.fd(), patience);
                ASSERT_TRUE(n) << "at " << id;
                EXPECT_EQ(n->err.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
                EXPECT_EQ(n->err.ee_info, id);
                ASSERT_LT(n->err.ee_data, last);
                id = n->err.ee_data + 1;
            }
            EXPECT_FALSE(queued_error(s.fd()));
        }
    }
    // to nobody there is nothing to tell
    EXPECT_EQ(Message("x", Control().skip(a)).send(s, MSG_ZEROCOPY), 5);
    EXPECT_FALSE(queued_error(s.fd()));
    EXPECT_EQ(s.stat().totals.sent, 8u);
}

TEST_F(Parts, WithTimeStamps)
{
    ASSERT_EQ(s.option(SOL_SOCKET, SO_TIMESTAMPING,
                       SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
                           SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY),
              0);
    for (uint32_t id = 0; id < 6; id++) {
        if (id % 2 == 0) {
            EXPECT_EQ(Message("aaabbbcccdddx", part().own(generation, 3)).send(s), 13);
            expect_part("bbbx", "dddx");
        }
        auto n = queued_error(s.fd(), patience);
        ASSERT_TRUE(n);
        EXPECT_EQ(n->err.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
        EXPECT_EQ(n->err.ee_data, id);
    }
    EXPECT_FALSE(queued_error(s.fd()));
    expect_none(rs);
}

TEST_F(Parts, AtATime)
{
    hold_datagrams(s);
    uint64_t departure = monotonic() + 300000000;
    // among those of the group
    auto c = Control().range(1, 4).add(SOL_SOCKET, SCM_TXTIME, departure).skip({&a[3], 1});
    EXPECT_EQ(Message("bbccddeex", c.own(generation, 2)).send(s), 9);
    for (auto [slot, data] : {std::pair{2, "ccx"}, {4, "eex"}}) {
        EXPECT_EQ(rs[static_cast<size_t>(slot)].next(), data);
        EXPECT_GE(monotonic(), departure);
    }
    expect_none(rs);
}

// A group send raises no SIGPIPE, told or not, as no UDP socket does.
TEST_F(Parts, NoSignal)
{
    static volatile sig_atomic_t raised;
    raised = 0;
    struct sigaction action {
    }, before{};
    action.sa_handler = [](int) { raised = 1; };
    sigaction(SIGPIPE, &action, &before);
    EXPECT_EQ(Message("data", part()).send(s, MSG_NOSIGNAL), 4);
    expect_part("data", "data");
    shutdown(s.fd(), SHUT_WR);
    for (uint32_t flags : {0u, GRP_F_COUNT}) {
        ASSERT_EQ(s.set_flags(flags), 0);
        EXPECT_EQ(Message("data", part()).send(s, MSG_NOSIGNAL), -EPIPE);
        EXPECT_EQ(Message("data", part()).send(s), -EPIPE);
    }
    EXPECT_FALSE(raised);
    sigaction(SIGPIPE, &before, nullptr);
    expect_none(rs);
}

// Whoever splices takes the result for bytes: where it would be slots, there is
// none, and what was in the pipe is still there.
TEST_F(Parts, APipeDoesNotCountSlots)
{
    const std::string data = pattern(3000);
    Pipe pipe(data);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    auto before = s.stat().totals;
    EXPECT_EQ(pipe.splice_to(s, 3000), -EOPNOTSUPP);
    char path[] = "/tmp/parts_test.XXXXXX";
    Fd file(mkstemp(path));
    unlink(path);
    ASSERT_EQ(write(file.get(), data.data(), data.size()), 3000);
    off_t offset = 0;
    EXPECT_EQ(result(sendfile(s.fd(), file.get(), &offset, 3000)), -EOPNOTSUPP);
    EXPECT_EQ(offset, 0);
    auto after = s.stat().totals;
    EXPECT_EQ(memcmp(&after, &before, sizeof(after)), 0);
    expect_none(rs);

    ASSERT_EQ(s.set_flags(0), 0);
    EXPECT_EQ(pipe.splice_to(s, 3000), 3000);
    EXPECT_EQ(result(sendfile(s.fd(), file.get(), &offset, 3000)), 3000);
    for (size_t i : {0, 2, 3, 4})
        for (int k = 0; k < 2; k++)
            EXPECT_EQ(rs[i].next(), data);
    expect_none(rs);
    // a write() has no such trouble
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    EXPECT_EQ(result(write(s.fd(), data.data(), data.size())), 5);
    for (size_t i : {0, 2, 3, 4})
        EXPECT_EQ(rs[i].next(), data);
}

// Data in several pieces, cut anywhere: in a prefix, too.
TEST_F(Parts, InPieces)
{
    const std::string data = "aaaabbbbccccdddd" + pattern(500);
    for (size_t first = 0; first < 20; first++) {
        for (size_t second = first; second < data.size(); second += 37) {
            std::string copy = data;
            iovec iov[] = {{copy.data(), first},
                           {copy.data() + first, second - first},
                           {nullptr, 0},
                           {copy.data() + second, copy.size() - second}};
            auto c = part().own(generation, 4);
            msghdr msg{};
            msg.msg_iov = iov;
            msg.msg_iovlen = 4;
            msg.msg_control = c.data();
            msg.msg_controllen = c.size();
            int flags = second % 2 ? MSG_CONFIRM : 0;
            ASSERT_EQ(result(sendmsg(s.fd(), &msg, flags)), static_cast<long>(data.size()));
            expect_part("bbbb" + data.substr(16), "dddd" + data.substr(16));
        }
    }
    expect_none(rs);
}

} // namespace
} // namespace selftest
