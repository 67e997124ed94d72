// SPDX-License-Identifier: GPL-2.0-only
// What a send does that may not wait for room in the send buffer.

#include "../../userspace/src/send_buffer.hpp"
#include "absent.hpp"
#include "support.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace library_test {
namespace {

using groupcast::internal::send_buffer_has_room;

TEST(Room, EmptyBufferIsAlwaysEnough)
{
    groupcast::socket socket;
    ASSERT_EQ(set_option(socket.fd(), SOL_SOCKET, SO_SNDBUF, 1), 0);
    EXPECT_EQ(send_buffer_has_room(socket.fd(), AF_INET, UDP_GROUP_MAX_MEMBERS, 65507), 1);
    EXPECT_EQ(send_buffer_has_room(-1, AF_INET, 1, 1), -EBADF);
}

// A UNIX socket keeps what its peer has not read in its send buffer.
TEST(Room, IsWhatTheBufferHasLeft)
{
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
    ASSERT_EQ(::send(fds[0], "x", 1, 0), 1);
    auto size = static_cast<size_t>(get_option(fds[0], SOL_SOCKET, SO_SNDBUF));
    EXPECT_EQ(send_buffer_has_room(fds[0], AF_INET, 1, 1000), 1);
    EXPECT_EQ(send_buffer_has_room(fds[0], AF_INET, size / 4000, 1000), 1);
    EXPECT_EQ(send_buffer_has_room(fds[0], AF_INET, size / 1000, 1000), 0);
    EXPECT_EQ(send_buffer_has_room(fds[0], AF_INET, UDP_GROUP_MAX_MEMBERS, 65507), 0);
    close(fds[0]);
    close(fds[1]);
}

void fill_buffer()
{
    auto absent = absent_hosts(50);
    Sender s;
    ASSERT_EQ(set_option(s.fd(), SOL_SOCKET, SO_SNDBUF, 1), 0);
    ASSERT_EQ(s.set(absent), 0);
    // It starts, since the buffer is empty, and stops when it is full
    EXPECT_EQ(s.send("data", MSG_DONTWAIT), 4);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, 1U);
    EXPECT_GT(stat.totals.sent, 0U);
    EXPECT_GT(stat.totals.unreached, 0U);
    EXPECT_EQ(stat.totals.failed, 0U);
    EXPECT_EQ(stat.totals.sent + stat.totals.unreached, 50U);
    for (const auto &m : stat.members) {
        EXPECT_EQ(m.sent, m.slot < stat.totals.sent ? 1U : 0U);
        EXPECT_EQ(m.error, 0);
    }

    // Now it does not, nor with O_NONBLOCK, and nobody gets anything
    EXPECT_EQ(s.send("data", MSG_DONTWAIT), -EAGAIN);
    ASSERT_EQ(fcntl(s.fd(), F_SETFL, O_NONBLOCK), 0);
    EXPECT_EQ(s.send("data"), -EAGAIN);
    EXPECT_EQ(s.stat().totals.sends, 1U);
    EXPECT_EQ(s.stat().totals.sent, stat.totals.sent);

    // With room for a part of them it does not start either
    ASSERT_EQ(set_option(s.fd(), SOL_SOCKET, SO_SNDBUF, 16384), 0);
    EXPECT_EQ(s.send("data"), -EAGAIN);
    ASSERT_EQ(set_option(s.fd(), SOL_SOCKET, SO_SNDBUF, 65536), 0);
    EXPECT_EQ(s.send("data"), 4);
    EXPECT_EQ(s.stat().totals.sent, stat.totals.sent + 50);
}

// Who counts slots goes on where a send has stopped, and reaches all, once.
void go_on_where_it_stopped()
{
    auto absent = absent_hosts(50);
    Sender s;
    ASSERT_EQ(set_option(s.fd(), SOL_SOCKET, SO_SNDBUF, 1), 0);
    ASSERT_EQ(s.set_flags(GRP_F_COUNT), 0);
    ASSERT_EQ(s.set(absent), 0);
    const ssize_t passed = s.send("data", MSG_DONTWAIT);
    ASSERT_GT(passed, 0);
    ASSERT_LT(passed, 40);
    auto next = static_cast<uint32_t>(passed);
    EXPECT_EQ(s.totals().sent, next);
    EXPECT_EQ(s.totals().unreached, 0U);
    EXPECT_EQ(s.send_with("data", {.range = {next, 0}}, MSG_DONTWAIT), -EAGAIN);
    EXPECT_EQ(s.totals().sends, 1U);

    // What takes no room is passed all the same, and only that
    EXPECT_EQ(s.send_with("data", {.skip = absent[next], .range = {next, 0}}, MSG_DONTWAIT), 1);
    ASSERT_EQ(s.del(absent[next + 1]), 0);
    EXPECT_EQ(s.send_with("data", {.range = {next + 1, 0}}, MSG_DONTWAIT), 1);
    EXPECT_EQ(s.totals().skipped, 1U);
    EXPECT_EQ(s.totals().holes, 1U);
    next += 2;

    // In pieces, as there is room
    for (int size = 8000; next < 50 && size < 200000; size += 8000) {
        ASSERT_EQ(set_option(s.fd(), SOL_SOCKET, SO_SNDBUF, size), 0);
        const ssize_t more = s.send_with("data", {.range = {next, 0}}, MSG_DONTWAIT);
        ASSERT_TRUE(more > 0 || more == -EAGAIN) << more;
        next += more > 0 ? static_cast<uint32_t>(more) : 0;
    }
    EXPECT_EQ(next, 50U);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sent, 48U);
    EXPECT_EQ(stat.totals.unreached, 0U);
    for (const auto &m : stat.members)
        EXPECT_EQ(m.sent + m.skipped, 1U) << m.slot;
}

// The estimate of the room is never too low: with something in the buffer, a
// send reaches all or does not start, whatever the length of the data.
void send_until_full()
{
    auto absent = absent_hosts(10);
    for (size_t len : {0, 1, 100, 300, 380, 381, 700, 900, 1400, 1472, 1473, 4000, 10000, 60000}) {
        Sender s;
        // room for several sends, and not for very many
        int size = std::max(100000, 50 * static_cast<int>(len));
        ASSERT_EQ(set_option(s.fd(), SOL_SOCKET, SO_SNDBUFFORCE, size), 0);
        ASSERT_EQ(s.set(absent), 0);
        std::string data(len, 'x');
        ssize_t sent = 0;
        uint64_t sends = 0;
        while ((sent = s.send(data, MSG_DONTWAIT)) >= 0)
            sends++;
        EXPECT_EQ(sent, -EAGAIN);
        EXPECT_GE(sends, 2U) << len;
        auto totals = s.stat().totals;
        EXPECT_EQ(totals.sent, 10 * sends) << len << " bytes";
        EXPECT_EQ(totals.unreached, 0U) << len << " bytes, after " << sends << " sends";
    }
}

TEST(Room, NonBlockingSendIsForAllOrNobody) { in_thread(fill_buffer); }

TEST(Room, NonBlockingSendThatCountsGoesOn) { in_thread(go_on_where_it_stopped); }

TEST(Room, NonBlockingSendNeverStartsInVain) { in_thread(send_until_full); }

} // namespace
} // namespace library_test
