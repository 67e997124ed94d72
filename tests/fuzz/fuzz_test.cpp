// SPDX-License-Identifier: GPL-2.0-only
// The share of the fuzzer that every run of the tests has.
#include "generate.hpp"
#include "hunt.hpp"
#include "ring.hpp"
#include "view.hpp"

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace fuzz {

TEST(Program, SurvivesBeingWritten)
{
    Random random(7);
    for (int i = 0; i < 1000; i++) {
        const auto program = mutate(generate(random), {}, random);
        EXPECT_EQ(from_text(to_text(program)), program);
    }
}

TEST(View, NoticesWhatIsOther)
{
    View before, after;
    EXPECT_EQ(compare_members(before, after) + compare_totals(before, after), "");
    after.totals.generation = 1;
    EXPECT_NE(compare_members(before, after), "");
    after = before;
    after.members.resize(16);
    EXPECT_NE(compare_members(before, after), "");
    after = before;
    after.totals.failed = 1;
    EXPECT_NE(compare_totals(before, after), "");
    EXPECT_NE(check_totals(before, after), "");
    after.totals.sends = 1;
    EXPECT_EQ(check_totals(before, after), "");
    EXPECT_NE(check_totals(after, before), "");
}

// Each form is one of its own, and none is refused for what it is.
TEST(Ring, SendsInEachForm)
{
    const int there = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
              here = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof(to);
    auto *sa = reinterpret_cast<sockaddr *>(&to);
    ASSERT_EQ(bind(there, sa, len), 0);
    ASSERT_EQ(getsockname(there, sa, &len), 0);
    ASSERT_EQ(connect(here, sa, len), 0);
    char bytes[] = "in two pieces", got[64];
    iovec pieces[] = {{bytes, 3}, {bytes + 3, 10}};
    msghdr msg{};
    msg.msg_iov = pieces;
    msg.msg_iovlen = 2;
    Ring ring;
    for (size_t form = 0; form < Ring::forms; form++) {
        const long sent = form < 2 ? 13 : 3; // send() has the first piece
        EXPECT_EQ(ring.send(form, here, msg, 0), sent) << form << ": " << strerror(errno);
        EXPECT_EQ(recv(there, got, sizeof(got), 0), sent) << form;
        EXPECT_EQ(ring.send(form, -1, msg, 0), -1) << form;
        EXPECT_EQ(errno, EBADF) << form;
    }
    close(here);
    close(there);
}

TEST(Fuzz, NothingThatProgramsDoIsUndocumented)
{
    Plan plan;
    plan.from = "/corpus";
    if (const char *seconds = std::getenv("FUZZ_SECONDS"))
        plan.seconds = static_cast<unsigned>(std::atoi(seconds));
    const auto report = hunt(plan);
    EXPECT_EQ(report.problem, "");
    std::ofstream("/results/fuzz.txt")
        << report.programs << " programs, " << report.operations << " operations in "
        << static_cast<long>(report.seconds) << " s; " << report.places << " places, corpus "
        << report.corpus << ", of these " << report.mutated << " by mutation\n";
    // Coverage is fed back, and leads somewhere
    EXPECT_GT(report.programs, 100U);
    EXPECT_GT(report.places, 500U);
    EXPECT_GT(report.mutated, 10U);
}

} // namespace fuzz
