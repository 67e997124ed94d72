// SPDX-License-Identifier: GPL-2.0-only

#include <gtest/gtest.h>

extern "C" int c_api();

TEST(C, HeaderAndCalls) { EXPECT_EQ(c_api(), 0) << "the line of c_api.c that failed"; }
