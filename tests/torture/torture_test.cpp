// SPDX-License-Identifier: GPL-2.0-only
// Threads that do everything at once with the same sockets, while the world
// changes around them. TORTURE_SECONDS says how long at least, TORTURE_TIMES how
// often each disturbance strikes meanwhile, TORTURE_SEED which way it goes.
//
// Nothing must answer what is not documented, the sums must be right, and nobody
// gets what is another's. The kernel looks for the rest.

#include "disturbance.hpp"
#include "operation.hpp"
#include "strikes.hpp"

#include <csignal>
#include <sys/resource.h>
#include <sys/syscall.h>

namespace torture {
namespace {

using clock = std::chrono::steady_clock;

unsigned parameter(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text ? static_cast<unsigned>(strtoul(text, nullptr, 10)) : otherwise;
}

const auto seconds = std::chrono::seconds(parameter("TORTURE_SECONDS", 8));
const unsigned times = parameter("TORTURE_TIMES", 5);
const unsigned seed = parameter("TORTURE_SEED", 1);

std::atomic<long> signals_taken = 0;

// A thread that does one thing after the other. SIGUSR1 is for these.
class Tormentor {
public:
    Tormentor(Random random, World &world, Census &census, Victims &victims)
        : thread_([=, this, &world, &census, &victims]() mutable {
              sigset_t signals;
              sigemptyset(&signals);
              sigaddset(&signals, SIGUSR1);
              io_uring ring;
              if (int err = io_uring_queue_init(8, &ring, 0); err < 0)
                  throw std::runtime_error("io_uring");
              pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
              run(random, world, census, victims, ring);
              pthread_sigmask(SIG_BLOCK, &signals, nullptr);
              io_uring_queue_exit(&ring);
          })
    {}
    void stop() { done_ = true; }
    void join() { thread_.join(); }
    // Waits until it has taken the signal: another one before that would be none.
    long signal()
    {
        const long before = signals_taken;
        if (int err = pthread_kill(thread_.native_handle(), SIGUSR1))
            return -err;
        return selftest::eventually([&] { return signals_taken > before; }) ? 0 : -ETIMEDOUT;
    }

private:
    void run(Random &random, World &world, Census &census, Victims &victims, io_uring &ring)
    {
        std::vector<void (*)(Act &)> acts;
        for (const auto &some : {changes(), sends(), upheavals()})
            for (const auto &op : some)
                acts.insert(acts.end(), static_cast<size_t>(op.weight), op.act);
        Act act{random, world, census, victims, ring};
        while (!done_) {
            auto victim = victims.any(random);
            act.victim = victim.get();
            acts[random() % acts.size()](act);
        }
    }
    std::atomic<bool> done_ = false;
    std::thread thread_;
};

class Torture : public testing::Test {
protected:
    Torture()
    {
        struct sigaction action {};
        action.sa_handler = [](int) { signals_taken++; };
        sigaction(SIGUSR1, &action, nullptr);
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGUSR1);
        pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    }
    // One after the other, evenly over the time; late is better than never. The
    // tormentors never rest: who strikes goes before them, or the last of a
    // thousand came an hour later.
    template <typename Strike, typename End>
    std::thread at_times(const World &world, Strikes::Kind &kind, Strike strike, End end) const
    {
        return std::thread([=, this, &world, &kind] {
            setpriority(PRIO_PROCESS, 0, -10); // of this thread
            world.ns().enter();
            for (unsigned i = 0; i < times; i++) {
                std::this_thread::sleep_until(begin_ + seconds * i / times);
                kind.strike([&] { strike(i); });
            }
            end();
        });
    }
    void report(Census &census)
    {
        auto took = std::chrono::duration<double, std::ratio<60>>(clock::now() - begin_);
        census.print();
        printf("minutes of torture: %.1f, seed %u\n", took.count(), seed);
        RecordProperty("operations", std::to_string(census.total()));
        for (const auto &[what, n] : census.violations())
            ADD_FAILURE() << what << ": " << n << " times";
    }
    const clock::time_point begin_ = clock::now();
};

TEST_F(Torture, OfSocketsThatAreShared)
{
    Census census;
    World world(census);
    Strikes strikes;
    {
        Victims victims(census);
        std::vector<std::unique_ptr<Tormentor>> tormentors;
        for (unsigned t = 0; t < 6; t++)
            tormentors.push_back(
                std::make_unique<Tormentor>(Random(seed * 100 + t), world, census, victims));
        std::vector<std::thread> others;
        for (const auto &d : disturbances())
            others.push_back(at_times(
                world, strikes.of(d.name), [&, d](unsigned i) { d.strike(world, census, i); },
                [&, d] { d.end(world, census); }));
        others.push_back(at_times(
            world, strikes.of("signal"),
            [&](unsigned i) {
                auto &tormentor = tormentors[i % tormentors.size()];
                census.count("event: signal taken", tormentor->signal(), {});
            },
            [] {}));
        const auto progress = strikes.progress();
        for (auto &t : others)
            t.join();
        std::this_thread::sleep_until(begin_ + seconds);
        for (auto &t : tormentors)
            t->stop();
        for (auto &t : tormentors)
            t->join();
    }
    // what a strike was to do the kernel has done, each time
    const long all = times;
    for (const auto &d : disturbances())
        for (const char *effect : d.effects)
            EXPECT_GE(census.of(effect, 0), all) << effect;
    EXPECT_GE(census.of("event: signal taken", 0), all);
    // It is in use most of the time. The others are that it has gone or is coming.
    EXPECT_GE(census.of("event: rmmod"), all);
    EXPECT_GT(census.of("event: rmmod", EAGAIN) + census.of("event: rmmod", 0), 0)
        << "it was never there";
    strikes.print();
    report(census);
}

// The module goes whenever nobody has a group, and comes again with the next.
TEST_F(Torture, OfAModuleThatGoes)
{
    Census census;
    selftest::NetNs ns;
    std::atomic<bool> done = false;
    std::vector<std::thread> users;
    for (unsigned t = 0; t < 2; t++)
        users.emplace_back([&] {
            while (!done) {
                Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
                long err = change(fd.get(), SO_SETGRP, packed("127.0.0.1", 9));
                census.count("set", err, {ENOPROTOOPT});
                census.count("send", result(send(fd.get(), "s", 1, 0)), {EDESTADDRREQ});
                fd.reset();
                std::this_thread::yield();
            }
        });
    long unloaded = 0;
    const auto give_up = clock::now() + std::chrono::seconds(10) + 2 * seconds;
    for (unsigned i = 0; (i < times || !unloaded) && clock::now() < give_up; i++) {
        unloaded +=
            census.count("rmmod", result(syscall(SYS_delete_module, "udp_group", O_NONBLOCK)),
                         {EAGAIN, ENOENT, EBUSY}) == 0;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    done = true;
    for (auto &u : users)
        u.join();
    EXPECT_GT(unloaded, 0);
    EXPECT_GE(census.of("rmmod"), static_cast<long>(times));
    report(census);
}

} // namespace
} // namespace torture
