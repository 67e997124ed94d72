// SPDX-License-Identifier: GPL-2.0-only
// What the tests of policy share: a sender who is root or nobody, and the same
// outcome of a sendto() to each member and of group sends.
#pragma once

#include "ip6.hpp"
#include "tomoyo.hpp"

#include <functional>

namespace selftest {

inline constexpr std::string_view data = "payload";
inline constexpr long length = data.size();

inline std::string output_of(const std::string &command)
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

// The test's own namespace, and a user who sends in it.
class AsUser : public InNamespace {
protected:
    virtual uid_t user() const = 0;
    // Runs in a process of its own what the sender does, as the test's user.
    // What the process needs root for comes first. Its failures are the test's.
    void sender(const std::function<void()> &as_root, const std::function<void()> &what)
    {
        fflush(nullptr);
        pid_t pid = fork();
        if (pid == 0) {
            try {
                as_root();
                if (setresgid(user(), user(), user()) || setresuid(user(), user(), user()))
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

class Policy : public AsUser, public testing::WithParamInterface<uid_t> {
    uid_t user() const override { return GetParam(); }
};

// At 127.0.0.1 and the addresses after it: one policy tells them apart.
inline std::vector<Receiver> neighbours(int n)
{
    std::vector<Receiver> rs;
    for (int i = 1; i <= n; i++)
        rs.emplace_back("127.0.0." + std::to_string(i));
    return rs;
}

template <typename R>
void expect_received(std::vector<R> &rs, const std::vector<int> &errors,
                     std::string_view bytes = data)
{
    for (size_t i = 0; i < rs.size(); i++) {
        if (!errors[i]) {
            EXPECT_EQ(rs[i].next(), bytes) << "member " << i;
        }
        EXPECT_TRUE(rs[i].empty()) << "member " << i;
    }
}

// With two words that have changed places, which a checksum does not see.
inline std::string swapped(std::string bytes, size_t at)
{
    std::swap_ranges(&bytes[at], &bytes[at + 2], &bytes[at + 2]);
    return bytes;
}

template <typename Address> std::string bytes_of(const Address &addr)
{
    return {reinterpret_cast<const char *>(&addr), address_length(addr)};
}

// A group of these, of either family.
template <typename R> std::string join_all(const Sender &s, const std::vector<R> &rs)
{
    std::string packed;
    for (const auto &r : rs)
        packed += bytes_of(r.address());
    if (s.set_raw(packed.data(), packed.size()) != 0)
        throw std::runtime_error("SO_SETGRP");
    return packed;
}

template <typename R> long send_alone(const Sender &s, const R &r, std::string_view bytes = data)
{
    const auto to = bytes_of(r.address());
    return result(sendto(s.fd(), bytes.data(), bytes.size(), 0,
                         reinterpret_cast<const sockaddr *>(to.data()),
                         static_cast<socklen_t>(to.size())));
}

// A sendto() to each of them and then two group sends have the same outcome:
// the errno given, or the datagram. Of what a queue drops sendto() does not tell.
template <typename R>
void expect_same(int domain, std::vector<R> &rs, const std::vector<int> &errors)
{
    Sender s(domain);
    const auto packed = join_all(s, rs);
    for (size_t i = 0; i < rs.size(); i++)
        EXPECT_EQ(send_alone(s, rs[i]), errors[i] && errors[i] != ENOBUFS ? -errors[i] : length)
            << i;
    expect_received(rs, errors);

    for (unsigned sends = 1; sends <= 2; sends++) {
        EXPECT_EQ(s.send(data), length);
        expect_received(rs, errors);
        auto stat = s.stat();
        ASSERT_EQ(stat.members.size(), rs.size());
        uint64_t sent = 0;
        for (size_t i = 0; i < rs.size(); i++) {
            const auto &m = stat.members[i];
            EXPECT_EQ(bytes_of(m.addr), bytes_of(rs[i].address()));
            EXPECT_EQ(m.sent, errors[i] ? 0 : sends) << "member " << i;
            EXPECT_EQ(m.failed, errors[i] ? sends : 0) << "member " << i;
            EXPECT_EQ(m.error, errors[i]) << "member " << i;
            sent += m.sent;
        }
        EXPECT_EQ(stat.totals.sends, sends);
        EXPECT_EQ(stat.totals.sent, sent);
        EXPECT_EQ(stat.totals.failed, sends * rs.size() - sent);
        EXPECT_EQ(stat.totals.unreached, 0u);
    }
    EXPECT_EQ(members(s), packed);
    EXPECT_EQ(s.error(), 0);
}

inline void expect_same(std::vector<Receiver> &rs, const std::vector<int> &errors)
{
    expect_same(AF_INET, rs, errors);
}

} // namespace selftest
