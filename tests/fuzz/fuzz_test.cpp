// SPDX-License-Identifier: GPL-2.0-only
// The share of the fuzzer that every run of the tests has.
#include "generate.hpp"
#include "hunt.hpp"
#include "view.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
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
