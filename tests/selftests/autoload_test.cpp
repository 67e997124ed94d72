// SPDX-License-Identifier: GPL-2.0-only
// The module comes by itself, for anyone, and stays as long as it is needed.
// Runs first, when nothing has used a group yet.

#include "support.hpp"

#include <sys/syscall.h>

#include <thread>

namespace selftest {
namespace {

bool loaded()
{
    std::ifstream in("/proc/modules");
    std::string line;
    while (std::getline(in, line))
        if (line.rfind("udp_group ", 0) == 0)
            return true;
    return false;
}

long unload() { return result(syscall(SYS_delete_module, "udp_group", O_NONBLOCK)); }

TEST(Autoload, OtherOptionsDoNotLoadIt)
{
    Sender s;
    EXPECT_EQ(s.option(SOL_SOCKET, SO_BROADCAST, 1), 0);
    EXPECT_EQ(s.send("x"), -EDESTADDRREQ);
    EXPECT_FALSE(loaded());
}

TEST(Autoload, OtherSocketsDoNotLoadIt)
{
    Sender s(AF_INET, SOCK_STREAM);
    EXPECT_EQ(s.set(many(0x7f000001, 1)), -EOPNOTSUPP);
    EXPECT_FALSE(loaded());
}

TEST(Autoload, TheFirstUseByAnyoneLoadsIt)
{
    ASSERT_FALSE(loaded());
    pid_t pid = fork();
    if (pid == 0) {
        if (setgid(65534) || setuid(65534))
            _exit(2);
        Sender s;
        _exit(s.set(many(0x7f000001, 1)) == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(loaded());
}

TEST(Autoload, AGroupHoldsIt)
{
    Sender s;
    ASSERT_EQ(s.set(many(0x7f000001, 3)), 0);
    EXPECT_EQ(unload(), -EAGAIN); // what delete_module() says of a module in use
    EXPECT_EQ(s.send("x"), 1);
    ASSERT_EQ(s.set({}), 0);
    EXPECT_EQ(unload(), -EAGAIN); // the counters are still to be read
    s.close();
    EXPECT_EQ(unload(), 0);
    EXPECT_FALSE(loaded());
}

// Unloaded again and again under sockets that come and go.
TEST(Autoload, UnloadingRacesWithUse)
{
    std::atomic<bool> done = false;
    std::vector<std::thread> users;
    for (int t = 0; t < 2; t++)
        users.emplace_back([&] {
            while (!done) {
                Sender s;
                long err = s.set(many(0x7f000001, 3));
                // it may have gone between being loaded and being asked for
                EXPECT_TRUE(err == 0 || err == -ENOPROTOOPT) << err;
                EXPECT_EQ(s.send("x"), err ? -EDESTADDRREQ : 1);
            }
        });
    int unloaded = 0;
    auto unloaded_once_more = [&] { return unload() == 0; };
    for (int i = 0; i < 2000 && unloaded < 20; i++) {
        unloaded += unloaded_once_more();
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    // to load it takes long on a slow machine
    while (unloaded < 3 && eventually(unloaded_once_more))
        unloaded++;
    done = true;
    for (auto &u : users)
        u.join();
    EXPECT_GE(unloaded, 3);
    Sender s;
    EXPECT_EQ(s.set(many(0x7f000001, 1)), 0);
}

} // namespace
} // namespace selftest
