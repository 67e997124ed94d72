// SPDX-License-Identifier: GPL-2.0-only
// Which sockets can have a group, and who keeps it.

#include "support.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace library_test {
namespace {

int try_new(int fd, groupcast_backend backend = GROUPCAST_AUTO)
{
    groupcast_group *group = nullptr;
    int err = groupcast_new(&group, fd, backend);
    EXPECT_EQ(err == 0, group != nullptr);
    groupcast_free(group);
    return err;
}

int try_new_socket(int domain, int type)
{
    int fd = socket(domain, type, 0);
    EXPECT_GE(fd, 0);
    int err = try_new(fd);
    close(fd);
    return err;
}

// The environment of one test.
class Environment {
public:
    explicit Environment(const char *value) : before_(wanted_backend())
    {
        setenv("GROUPCAST_BACKEND", value, 1);
    }
    Environment(const Environment &) = delete;
    Environment &operator=(const Environment &) = delete;
    ~Environment() { setenv("GROUPCAST_BACKEND", before_.c_str(), 1); }

private:
    std::string before_;
};

TEST(New, UsesTheBackendAskedFor)
{
    Sender s;
    const char *name = groupcast_backend_name(groupcast_backend_of(s.group()));
    if (wanted_backend() == "auto")
        EXPECT_TRUE(std::string_view(name) == "kernel" || std::string_view(name) == "sendmmsg");
    else
        EXPECT_EQ(wanted_backend(), name);
    EXPECT_EQ(groupcast_fd(s.group()), s.fd());
}

TEST(New, ArgumentGoesBeforeEnvironment)
{
    groupcast::socket socket;
    Environment env("kernel");
    groupcast::group group(socket.fd(), groupcast::backend_kind::sendmmsg);
    EXPECT_EQ(group.backend(), groupcast::backend_kind::sendmmsg);
}

TEST(New, EnvironmentGoesBeforeTheKernel)
{
    groupcast::socket socket;
    Environment env("sendmmsg");
    groupcast::group group(socket.fd());
    EXPECT_EQ(group.backend(), groupcast::backend_kind::sendmmsg);
}

TEST(New, UnknownBackendIsInvalid)
{
    groupcast::socket socket;
    EXPECT_EQ(try_new(socket.fd(), static_cast<groupcast_backend>(3)), -EINVAL);
    Environment env("carrier-pigeon");
    EXPECT_EQ(try_new(socket.fd()), -EINVAL);
    EXPECT_EQ(try_new(socket.fd(), GROUPCAST_SENDMMSG), 0);
}

TEST(New, OnlyUdp)
{
    EXPECT_EQ(try_new_socket(AF_INET, SOCK_DGRAM), 0);
    EXPECT_EQ(try_new_socket(AF_INET, SOCK_STREAM), -EOPNOTSUPP);
    EXPECT_EQ(try_new_socket(AF_UNIX, SOCK_DGRAM), -EOPNOTSUPP);
    EXPECT_EQ(try_new_socket(AF_INET6, SOCK_DGRAM), 0);
    EXPECT_EQ(try_new_socket(AF_INET6, SOCK_STREAM), -EOPNOTSUPP);
}

TEST(New, BadArguments)
{
    groupcast::socket socket;
    EXPECT_EQ(groupcast_new(nullptr, socket.fd(), GROUPCAST_AUTO), -EFAULT);
    EXPECT_EQ(try_new(-1), -EBADF);
    int pipes[2];
    ASSERT_EQ(pipe(pipes), 0);
    EXPECT_EQ(try_new(pipes[0]), -ENOTSOCK);
    close(pipes[0]);
    close(pipes[1]);
}

TEST(New, NoGroupIsInvalid)
{
    size_t len = 0;
    udp_grpstat totals{};
    msghdr msg{};
    groupcast_free(nullptr);
    EXPECT_EQ(groupcast_set(nullptr, nullptr, 0), -EINVAL);
    EXPECT_EQ(groupcast_get(nullptr, nullptr, &len), -EINVAL);
    EXPECT_EQ(groupcast_send(nullptr, "", 0, 0), -EINVAL);
    EXPECT_EQ(groupcast_sendmsg(nullptr, &msg, 0), -EINVAL);
    EXPECT_EQ(groupcast_stat(nullptr, &totals, nullptr, 0), -EINVAL);
    EXPECT_EQ(groupcast_fd(nullptr), -EINVAL);
    EXPECT_EQ(groupcast_backend_of(nullptr), GROUPCAST_AUTO);
}

TEST(New, FreeDissolvesAndLeavesTheSocketAsItWas)
{
    for (int recverr : {0, 1}) {
        groupcast::socket socket;
        std::vector<Receiver> rs(1);
        auto dead = dead_addresses(1);
        ASSERT_EQ(set_option(socket.fd(), IPPROTO_IP, IP_RECVERR, recverr), 0);
        {
            groupcast::group group(socket.fd());
            group.set({rs[0].address(), dead[0]});
            group.send("once");
            EXPECT_EQ(rs[0].next(), "once");
        }
        EXPECT_EQ(get_option(socket.fd(), IPPROTO_IP, IP_RECVERR), recverr);
        EXPECT_EQ(get_option(socket.fd(), SOL_SOCKET, SO_ERROR), 0);
        EXPECT_EQ(::send(socket.fd(), "x", 1, 0), -1);
        EXPECT_EQ(errno, EDESTADDRREQ);
        EXPECT_EQ(sendto(socket.fd(), "still", 5, 0, generic(rs[0].address()), sizeof(sockaddr_in)),
                  5);
        EXPECT_EQ(rs[0].next(), "still");
        EXPECT_TRUE(rs[0].empty());
    }
}

TEST(New, Names)
{
    EXPECT_STREQ(groupcast_backend_name(GROUPCAST_AUTO), "auto");
    EXPECT_STREQ(groupcast_backend_name(GROUPCAST_KERNEL), "kernel");
    EXPECT_STREQ(groupcast_backend_name(GROUPCAST_SENDMMSG), "sendmmsg");
    EXPECT_STREQ(groupcast_backend_name(static_cast<groupcast_backend>(9)), "unknown");
    EXPECT_STREQ(groupcast_version(), "0.1.0");
}

} // namespace
} // namespace library_test
