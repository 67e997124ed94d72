// SPDX-License-Identifier: GPL-2.0-only
// All tests run on one backend: GROUPCAST_BACKEND=kernel or =sendmmsg. If the
// kernel is asked for and has no groups, they fail.

#include "support.hpp"

#include <iostream>

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    std::cout << "GROUPCAST_BACKEND: " << library_test::wanted_backend() << '\n';
    return RUN_ALL_TESTS();
}
