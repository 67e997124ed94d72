// SPDX-License-Identifier: GPL-2.0-only
// What the tests of policy share: a sender who is root or nobody, and the same
// outcome of a sendto() to each member and of group sends.
#pragma once

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

class Policy : public InNamespace, public testing::WithParamInterface<uid_t> {
protected:
    // Runs in a process of its own what the sender does, as the test's user.
    // What the process needs root for comes first. Its failures are the test's.
    void sender(const std::function<void()> &as_root, const std::function<void()> &what)
    {
        fflush(nullptr);
        pid_t pid = fork();
        if (pid == 0) {
            try {
                as_root();
                if (setresgid(GetParam(), GetParam(), GetParam()) ||
                    setresuid(GetParam(), GetParam(), GetParam()))
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

// At 127.0.0.1 and the addresses after it: one policy tells them apart.
inline std::vector<Receiver> neighbours(int n)
{
    std::vector<Receiver> rs;
    for (int i = 1; i <= n; i++)
        rs.emplace_back("127.0.0." + std::to_string(i));
    return rs;
}

inline void expect_received(std::vector<Receiver> &rs, const std::vector<int> &errors)
{
    for (size_t i = 0; i < rs.size(); i++) {
        if (!errors[i]) {
            EXPECT_EQ(rs[i].next(), data) << "member " << i;
        }
        EXPECT_TRUE(rs[i].empty()) << "member " << i;
    }
}

// A sendto() to each of them and then two group sends have the same outcome:
// the errno given, or the datagram. What sendto() does not tell of is silent.
inline void expect_same(std::vector<Receiver> &rs, const std::vector<int> &errors,
                        bool silent = false)
{
    auto addrs = addresses(rs);
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    for (size_t i = 0; i < addrs.size(); i++)
        EXPECT_EQ(s.send_to(data, addrs[i]), errors[i] && !silent ? -errors[i] : length) << i;
    expect_received(rs, errors);

    for (unsigned sends = 1; sends <= 2; sends++) {
        EXPECT_EQ(s.send(data), length);
        expect_received(rs, errors);
        auto stat = s.stat();
        ASSERT_EQ(stat.members.size(), addrs.size());
        uint64_t sent = 0;
        for (size_t i = 0; i < addrs.size(); i++) {
            const auto &m = stat.members[i];
            EXPECT_EQ(m.addr.in, addrs[i]);
            EXPECT_EQ(m.sent, errors[i] ? 0 : sends) << "member " << i;
            EXPECT_EQ(m.failed, errors[i] ? sends : 0) << "member " << i;
            EXPECT_EQ(m.error, errors[i]) << "member " << i;
            sent += m.sent;
        }
        EXPECT_EQ(stat.totals.sends, sends);
        EXPECT_EQ(stat.totals.sent, sent);
        EXPECT_EQ(stat.totals.failed, sends * addrs.size() - sent);
        EXPECT_EQ(stat.totals.unreached, 0u);
    }
    EXPECT_EQ(s.members(), addrs);
    EXPECT_EQ(s.error(), 0);
}

} // namespace selftest
