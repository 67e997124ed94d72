// SPDX-License-Identifier: GPL-2.0-only
// Who pays for a group: the memory cgroup of whoever set it.

#include "support.hpp"

#include <sys/stat.h>

namespace selftest {
namespace {

const std::string root = "/sys/fs/cgroup/";
const std::string mine = root + "groups/";

void put(const std::string &path, const std::string &text)
{
    std::ofstream out(path);
    out << text << std::flush;
    if (!out)
        throw std::runtime_error(path);
}

long charged()
{
    long n = -1;
    std::ifstream(mine + "memory.current") >> n;
    return n;
}

// In a child that is in a memory cgroup of its own.
int inside(auto what)
{
    put(root + "cgroup.subtree_control", "+memory");
    mkdir(mine.c_str(), 0755);
    pid_t pid = fork();
    if (pid == 0) {
        put(mine + "cgroup.procs", std::to_string(getpid()));
        _exit(what());
    }
    int status = -1;
    waitpid(pid, &status, 0);
    // a cgroup goes when the last of its memory is freed: not at once
    eventually([] { return rmdir(mine.c_str()) == 0; });
    return status;
}

// What a debug kernel puts around each object of a cache, to notice who writes
// there; 0 where there is nothing of that.
long redzone(const std::string &cache)
{
    std::ifstream with("/sys/kernel/slab/" + cache + "/slab_size");
    std::ifstream without("/sys/kernel/slab/" + cache + "/object_size");
    long a = 0, b = 0;
    return with >> a && without >> b ? a - b : 0;
}

// No more than 128 bytes a member, and what is dissolved is given back.
TEST(Memory, AGroupIsCharged)
{
    auto members = many(0x0a000001, UDP_GROUP_MAX_MEMBERS);
    int status = inside([&] {
        Sender s;
        s.set(std::span(members).first(1));
        long before = charged();
        if (s.set(members))
            return 1;
        long after = charged();
        long each = (after - before) / UDP_GROUP_MAX_MEMBERS;
        if (each < 48 || each > 128 + redzone("udp_group_member"))
            return 2;
        if (s.set({}))
            return 3;
        // after a grace period
        return eventually([&] { return charged() < before + (after - before) / 4; }) ? 0 : 4;
    });
    EXPECT_EQ(status, 0) << WEXITSTATUS(status);
}

// Whoever makes members join pays for them, whose ever the socket was.
TEST(Memory, JoinsAreChargedToWhoeverAsks)
{
    auto members = many(0x0a000001, UDP_GROUP_MAX_MEMBERS);
    constexpr size_t step = UDP_GROUP_MAX_MEMBERS / 16;
    Sender theirs;
    ASSERT_EQ(theirs.set(std::span(members).first(1)), 0);
    int status = inside([&] {
        long before = charged();
        for (size_t at = 1; at < members.size(); at += step)
            if (theirs.join(std::span(members).subspan(at, std::min(step, members.size() - at))))
                return 1;
        long each = (charged() - before) / UDP_GROUP_MAX_MEMBERS;
        if (each < 48 || each > 160 + redzone("udp_group_member"))
            return 2;
        // and what leaves is given back, though the group stays
        before = charged();
        for (size_t at = 1; at < members.size(); at += step)
            if (theirs.leave(std::span(members).subspan(at, std::min(step, members.size() - at))))
                return 3;
        // kept for a grace period, and by the allocator in pages that are not empty
        return eventually([&] { return charged() <= before * 3 / 4; }) ? 0 : 4;
    });
    EXPECT_EQ(status, 0) << WEXITSTATUS(status);
}

// What a process may not have, it does not get: the group stays as it was.
TEST(Memory, ALimitHolds)
{
    auto members = many(0x0a000001, UDP_GROUP_MAX_MEMBERS);
    int status = inside([&] {
        std::vector<Sender> senders(64);
        put(mine + "memory.max", std::to_string(charged() + (64L << 20)));
        int refused = 0;
        for (auto &s : senders)
            refused += s.set(members) == -ENOMEM;
        return refused ? 0 : 1; // a quarter of them has room
    });
    // killed, as for any other memory beyond the limit; or refused with ENOMEM
    EXPECT_TRUE(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) << status;
}

} // namespace
} // namespace selftest
