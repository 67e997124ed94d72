// SPDX-License-Identifier: GPL-2.0-only
// The C++ face: who owns what, and the two forms of every call.

#include "support.hpp"

#include <fcntl.h>

#include <type_traits>
#include <utility>

namespace library_test {
namespace {

using groupcast::backend_kind;
using groupcast::group;
using groupcast::ipv4;

static_assert(!std::is_copy_constructible_v<group> && !std::is_copy_assignable_v<group>);
static_assert(std::is_nothrow_move_constructible_v<group>);
static_assert(std::is_nothrow_move_assignable_v<group>);
static_assert(!std::is_copy_constructible_v<groupcast::socket>);
static_assert(std::is_nothrow_move_constructible_v<groupcast::socket>);
static_assert(std::is_nothrow_move_assignable_v<groupcast::socket>);
static_assert(noexcept(std::declval<group &>().set(std::span<const sockaddr_in>(),
                                                   std::declval<std::error_code &>())));
static_assert(noexcept(std::declval<group &>().send("", std::declval<std::error_code &>())));
static_assert(noexcept(std::declval<group &>().stat(std::declval<std::error_code &>())));

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

std::vector<sockaddr_in> v4(std::span<const groupcast::address> addrs)
{
    std::vector<sockaddr_in> in;
    for (const auto &addr : addrs)
        in.push_back(addr.in());
    return in;
}

// The errno that a call throws, or 0.
template <typename Call> int thrown(Call call)
{
    try {
        call();
        return 0;
    } catch (const std::system_error &e) {
        EXPECT_EQ(e.code().category(), std::system_category());
        return e.code().value();
    }
}

TEST(Cpp, SendsWhatItIsGiven)
{
    std::vector<Receiver> rs(2);
    groupcast::socket socket;
    group g(socket.fd());
    g.set({rs[0].address(), rs[1].address()});
    EXPECT_EQ(g.send("text"), 4U);
    const std::byte bytes[] = {std::byte{'b'}, std::byte{0}, std::byte{'c'}};
    EXPECT_EQ(g.send(bytes), 3U);
    std::error_code ec = std::make_error_code(std::errc::io_error);
    EXPECT_EQ(g.send("again", ec), 5U);
    EXPECT_FALSE(ec);
    for (const auto &r : rs) {
        EXPECT_EQ(r.next(), "text");
        EXPECT_EQ(r.next(), std::string("b\0c", 3));
        EXPECT_EQ(r.next(), "again");
    }
    EXPECT_EQ(v4(g.members()), addresses(rs));
    EXPECT_EQ(g.fd(), socket.fd());

    auto packed = addresses(rs);
    packed.pop_back();
    g.set(std::as_bytes(std::span(packed)));
    EXPECT_EQ(v4(g.members()), packed);
    g.dissolve();
    EXPECT_TRUE(g.members().empty());
    EXPECT_EQ(g.stat().totals.sends, 3U);
}

TEST(Cpp, ErrorsAreThrown)
{
    groupcast::socket socket;
    group g(socket.fd());
    auto twice = std::vector{many(1)[0], many(1)[0]};
    EXPECT_EQ(thrown([&] { g.set(twice); }), EADDRINUSE);
    EXPECT_EQ(thrown([&] { g.send("x"); }), EDESTADDRREQ);
    EXPECT_EQ(thrown([&] { g.sendmsg(msghdr{}); }), EDESTADDRREQ);
    EXPECT_EQ(thrown([] { group(-1); }), EBADF);
    EXPECT_EQ(thrown([] { groupcast::socket(-1); }), EINVAL);
    EXPECT_THROW(ipv4("127.0.0.256", 1), std::system_error);
    g.set(many(1));
    EXPECT_EQ(thrown([&] { g.send("x", MSG_MORE); }), EOPNOTSUPP);
}

TEST(Cpp, ErrorsAreSet)
{
    std::error_code ec;
    groupcast::socket socket(ec);
    ASSERT_FALSE(ec);
    group g(socket.fd(), ec);
    ASSERT_FALSE(ec);
    ASSERT_TRUE(g);
    auto twice = std::vector{many(1)[0], many(1)[0]};
    g.set(twice, ec);
    EXPECT_EQ(ec, std::errc::address_in_use);
    EXPECT_EQ(g.send("x", ec), 0U);
    EXPECT_EQ(ec, std::errc::destination_address_required);
    EXPECT_EQ(g.sendmsg(msghdr{}, 0, ec), 0U);
    EXPECT_EQ(ec, std::errc::destination_address_required);
    g.dissolve(ec);
    EXPECT_FALSE(ec);
    EXPECT_TRUE(g.members(ec).empty());
    EXPECT_FALSE(ec);
    EXPECT_EQ(g.stat(ec).totals.sends, 0U);
    EXPECT_FALSE(ec);

    group none(-1, backend_kind::sendmmsg, ec);
    EXPECT_EQ(ec, std::errc::bad_file_descriptor);
    EXPECT_FALSE(none);
    for (const char *wrong : {"", "127.0.0", "127.0.0.256", "::1", "255.255.255.2555"}) {
        ipv4(wrong, 1, ec);
        EXPECT_EQ(ec, std::errc::invalid_argument) << wrong;
    }
    EXPECT_EQ(ipv4("255.255.255.255", 1, ec).sin_addr.s_addr, INADDR_BROADCAST);
    EXPECT_FALSE(ec);
}

TEST(Cpp, MovedGroupIsTheSame)
{
    Receiver r;
    groupcast::socket socket;
    group from(socket.fd());
    from.set({r.address()});
    group to(std::move(from));
    EXPECT_TRUE(to);
    EXPECT_EQ(to.send("moved"), 5U);
    EXPECT_EQ(r.next(), "moved");

    // NOLINTBEGIN(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
    EXPECT_FALSE(from);
    EXPECT_EQ(thrown([&] { from.send("x"); }), EINVAL);
    EXPECT_EQ(thrown([&] { from.members(); }), EINVAL);
    EXPECT_EQ(thrown([&] { from.stat(); }), EINVAL);
    // NOLINTEND(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
}

TEST(Cpp, MoveAssignmentDissolvesWhatWasThere)
{
    groupcast::socket one;
    groupcast::socket other;
    group first(one.fd());
    first.set(many(1));
    group second(other.fd());
    second.set(many(2));
    first = std::move(second);
    EXPECT_EQ(first.fd(), other.fd());
    EXPECT_EQ(first.members().size(), 2U);
    EXPECT_EQ(group(one.fd()).members().size(), 0U);
    EXPECT_EQ(::send(one.fd(), "x", 1, 0), -1);
    EXPECT_EQ(errno, EDESTADDRREQ);

    auto &self = first;
    first = std::move(self);
    EXPECT_EQ(first.members().size(), 2U);
}

TEST(Cpp, SocketIsClosedOnce)
{
    int fd = -1;
    {
        groupcast::socket from;
        fd = from.fd();
        groupcast::socket to(std::move(from));
        EXPECT_EQ(to.fd(), fd);
        EXPECT_FALSE(from); // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
        groupcast::socket another;
        int old = another.fd();
        another = std::move(to);
        EXPECT_FALSE(is_open(old));
        EXPECT_EQ(another.fd(), fd);
        EXPECT_TRUE(is_open(fd));
    }
    EXPECT_FALSE(is_open(fd));
}

} // namespace
} // namespace library_test
