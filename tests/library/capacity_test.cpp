// SPDX-License-Identifier: GPL-2.0-only
// The model of groupcast capacity: the line, what fits, and the paper's table.

#include "../../userspace/tools/model.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

using namespace capacity;

std::vector<point> line(double fixed, double per_member, std::vector<double> sizes)
{
    std::vector<point> points;
    points.reserve(sizes.size());
    for (double n : sizes)
        points.push_back({n, fixed + per_member * n});
    return points;
}

TEST(CapacityModel, FindsALine)
{
    auto m = fit(line(700, 3333, {16, 64, 256, 1024, 4096}));
    EXPECT_NEAR(m.fixed, 700, 0.01);
    EXPECT_NEAR(m.per_member, 3333, 0.0001);
    for (const auto &p : line(700, 3333, {1, 65536}))
        EXPECT_NEAR(error(m, p), 0, 1e-9);
}

TEST(CapacityModel, LeastSquaresAreOfRelativeErrors)
{
    // Costs 2, 3, 5 have the weights 1/4, 1/9, 1/25: worked out by hand
    const std::vector<point> points{{1, 2}, {2, 3}, {3, 5}};
    auto m = fit(points);
    EXPECT_NEAR(m.fixed, 0.6, 1e-9);
    EXPECT_NEAR(m.per_member, 87.0 / 65, 1e-9);

    // A microsecond too many at the small end weighs more than at the large one
    auto small = line(1000, 10, {10, 100, 1000});
    auto large = small;
    small.front().nanoseconds += 1000;
    large.back().nanoseconds += 1000;
    EXPECT_GT(fit(small).fixed - 1000, 1000 - fit(large).fixed);
}

TEST(CapacityModel, NoPartIsNegative)
{
    auto m = fit(line(-500, 100, {16, 64, 1024}));
    EXPECT_EQ(m.fixed, 0);
    EXPECT_GT(m.per_member, 0);
}

TEST(CapacityModel, RefusesWhatIsNoLine)
{
    EXPECT_THROW(fit({}), std::invalid_argument);
    EXPECT_THROW(fit(line(1, 1, {16})), std::invalid_argument);
    EXPECT_THROW(fit(line(1, 1, {16, 16})), std::invalid_argument);
    EXPECT_THROW(fit(line(0, 0, {16, 64})), std::invalid_argument);
    EXPECT_THROW(fit(line(100000, -10, {16, 64})), std::invalid_argument);
}

TEST(CapacityModel, TheLargestGroupThatFits)
{
    model m{1000, 100};
    EXPECT_EQ(m.members_within(0), 0U);
    EXPECT_EQ(m.members_within(1099), 0U);
    EXPECT_EQ(m.members_within(1100), 1U);
    for (double budget : {12345.0, 1e6, 33.3e6}) {
        auto n = static_cast<double>(m.members_within(budget));
        EXPECT_LE(m.cost(n), budget);
        EXPECT_GT(m.cost(n + 1), budget);
    }
}

// N, the part of 33.3 ms that the user's loop takes, and N' (Karsten et al.,
// NOSSDAV 2005); 15.2 us a member in the kernel gives all of it.
TEST(CapacityModel, ThePapersTable)
{
    struct row {
        double members, milliseconds, instead;
    };
    const model kernel{0, 15200};
    for (auto [members, ms, instead] :
         {row{40, 2.78, 42}, row{120, 8.26, 148}, row{240, 16.50, 390}, row{360, 24.76, 861},
          row{480, 33.06, 2170}}) {
        model user{0, ms * 1e6 / members};
        EXPECT_NEAR(members_instead(user, kernel, members, 33.3e6) / instead, 1, 0.03) << members;
    }
}

} // namespace
