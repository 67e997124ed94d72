// SPDX-License-Identifier: GPL-2.0-only
// Programs that are on board, as a user has them: built against the installed
// headers and library.

#include "support.hpp"

namespace selftest {
namespace {

class Programs : public InNamespace {};

TEST_F(Programs, ThePapersProgramWorks) { EXPECT_EQ(std::system("/bin/paper"), 0); }

TEST_F(Programs, TheExampleOfTheReadmeWorks)
{
    EXPECT_EQ(std::system("GROUPCAST_BACKEND=kernel /bin/hello"), 0);
    EXPECT_EQ(std::system("GROUPCAST_BACKEND=sendmmsg /bin/hello"), 0);
}

} // namespace
} // namespace selftest
