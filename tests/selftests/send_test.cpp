// SPDX-License-Identifier: GPL-2.0-only
// What one send does: whom it reaches, what it waits for, what ends it.

#include "slow.hpp"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <linux/sockios.h>
#include <map>
#include <net/if.h>
#include <poll.h>
#include <thread>

namespace selftest {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

class Send : public SlowDevice {};

TEST_F(Send, ReachesEveryMemberOnce)
{
    std::vector<Receiver> rs(20);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    for (std::string_view data : {"", "a", "hello"})
        EXPECT_EQ(s.send(data), static_cast<long>(data.size()));
    for (auto &r : rs) {
        EXPECT_EQ(r.next(), "");
        EXPECT_EQ(r.next(), "a");
        EXPECT_EQ(r.next(), "hello");
        EXPECT_TRUE(r.empty());
    }
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, 3u);
    EXPECT_EQ(stat.totals.sent, 60u);
    for (const auto &m : stat.members)
        EXPECT_EQ(m.sent, 3u);
}

TEST_F(Send, CrossesNamespaces)
{
    std::vector<std::unique_ptr<NetNs>> nets;
    std::vector<Receiver> rs;
    for (int i = 1; i <= 4; i++) {
        std::string n = std::to_string(i);
        nets.push_back(std::make_unique<NetNs>());
        std::string peer = std::to_string(nets.back()->fd());
        ns.enter();
        run("ip link add v" + n + " type veth peer name p" + n + " netns /proc/" +
            std::to_string(getpid()) + "/fd/" + peer);
        run("ip addr add 10.0." + n + ".1/24 dev v" + n + "; ip link set v" + n + " up");
        nets.back()->enter();
        run("ip addr add 10.0." + n + ".2/24 dev p" + n + "; ip link set p" + n + " up");
        for (int j = 0; j < 4; j++)
            rs.emplace_back("10.0." + n + ".2");
    }
    ns.enter();
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(s.send("datagram " + std::to_string(i)), 10);
    for (auto &r : rs) {
        for (int i = 0; i < 10; i++)
            EXPECT_EQ(r.next(), "datagram " + std::to_string(i));
        EXPECT_TRUE(r.empty());
    }
    ns.leave();
}

TEST_F(Send, LengthsUpToTheLimit)
{
    std::vector<Receiver> rs(2);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    std::string big(65507, 'b');
    EXPECT_EQ(s.send(big), 65507);
    for (auto &r : rs)
        EXPECT_EQ(r.next(), big);

    // longer than a datagram can be for anyone: the message's fault
    auto before = s.stat().totals;
    EXPECT_EQ(s.send(std::string(65536, 'x')), -EMSGSIZE);
    EXPECT_EQ(s.stat().totals.sends, before.sends);
}

TEST_F(Send, ADestinationOfItsOwnComesFirst)
{
    std::vector<Receiver> rs(3);
    Sender s;
    ASSERT_EQ(s.set({&rs[0].address(), 1}), 0);
    EXPECT_EQ(s.send_to("alone", rs[1].address()), 5);
    EXPECT_EQ(rs[1].next(), "alone");
    EXPECT_TRUE(rs[0].empty());
    EXPECT_EQ(s.stat().totals.sends, 0u);
}

TEST_F(Send, UnreadableDataEndsIt)
{
    std::vector<Receiver> rs(2);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    EXPECT_EQ(result(::send(s.fd(), nullptr, 100, 0)), -EFAULT);
    auto page = static_cast<char *>(
        mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    munmap(page + 4096, 4096);
    EXPECT_EQ(result(::send(s.fd(), page + 4000, 200, 0)), -EFAULT);
    munmap(page, 4096);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, 0u);
    EXPECT_EQ(stat.totals.failed, 0u);
    EXPECT_TRUE(rs[0].empty());
}

TEST_F(Send, ShutdownEndsIt)
{
    std::vector<Receiver> rs(2);
    Sender s;
    ASSERT_EQ(s.set(addresses(rs)), 0);
    // not connected: it shuts down nonetheless, as for sendto()
    shutdown(s.fd(), SHUT_WR);
    long one = s.send_to("x", rs[0].address());
    EXPECT_EQ(s.send("x"), one);
}

int tx_packets(const std::string &device)
{
    int n = -1;
    // of this thread's namespace, as /sys is of the one that mounted it
    FILE *in = popen(
        ("ip -s link show " + device + R"( | sed -n '/TX:/{n;s/^ *[0-9]* *\([0-9]*\).*/\1/p}')")
            .c_str(),
        "r");
    if (fscanf(in, "%d", &n) != 1)
        n = -1;
    pclose(in);
    return n;
}

TEST_F(Send, WaitsForRoom)
{
    slow_device(500);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(many(0x0a090002, 200)), 0);
    auto start = clock::now();
    EXPECT_EQ(s.send(hundred), 100);
    EXPECT_GT(clock::now() - start, 200ms);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sent, 200u);
    EXPECT_EQ(stat.totals.unreached, 0u);
    std::this_thread::sleep_for(300ms);
    EXPECT_EQ(tx_packets("slow"), 200);
}

TEST_F(Send, NeverChargesMoreThanTheBufferAndADatagram)
{
    slow_device(50);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(many(0x0a090002, 100)), 0);
    std::atomic<bool> done = false;
    int highest = 0;
    std::thread watch([&] {
        while (!done) {
            int used = 0;
            ioctl(s.fd(), SIOCOUTQ, &used);
            highest = std::max(highest, used);
        }
    });
    EXPECT_EQ(s.send(hundred), 100);
    done = true;
    watch.join();
    EXPECT_GT(highest, 5000);
    EXPECT_LE(highest, 20000 + 1500); // the kernel doubles what is asked for
}

TEST_F(Send, NonBlockingStartsOnlyWithRoomForAll)
{
    slow_device(60);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 20000), 0);
    auto members = many(0x0a090002, 30);
    ASSERT_EQ(s.set(members), 0);
    EXPECT_EQ(s.send(hundred, MSG_DONTWAIT), 100);
    auto before = s.stat();
    EXPECT_EQ(before.totals.sent, 30u);

    // some room, but not for all: nobody gets anything, nothing is counted
    EXPECT_EQ(s.send(hundred, MSG_DONTWAIT), -EAGAIN);
    auto after = s.stat();
    EXPECT_EQ(after.totals.sent, 30u);
    EXPECT_EQ(after.totals.sends, before.totals.sends);
    EXPECT_EQ(after.totals.unreached, 0u);

    // when all that was sent has left, it goes again
    std::this_thread::sleep_for(800ms);
    EXPECT_EQ(s.send(hundred, MSG_DONTWAIT), 100);
    EXPECT_EQ(s.stat().totals.sent, 60u);
}

// The estimate of the room is never too low: with something in the buffer a
// send reaches all or does not start, whatever the length of the data.
TEST_F(Send, NonBlockingNeverStartsInVain)
{
    run("ip link add slow type dummy; ip link set slow up; ip addr add 10.9.0.1/16 dev slow");
    run("tc qdisc add dev slow root tbf rate 1kbit burst 1600 limit 100000000");
    auto members = many(0x0a090002, 10);
    for (size_t len : {0, 1, 100, 220, 260, 300, 340, 380, 381, 420, 700, 900, 1400, 1472, 1473,
                       2500, 4000, 10000, 60000}) {
        Sender s;
        // room for several sends, and not for very many
        int size = std::max(100000, 50 * static_cast<int>(len));
        ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUFFORCE, size), 0);
        ASSERT_EQ(s.set(members), 0);
        std::string data(len, 'x');
        long err = 0;
        uint64_t sends = 0;
        while ((err = s.send(data, MSG_DONTWAIT)) >= 0)
            sends++;
        EXPECT_EQ(err, -EAGAIN);
        EXPECT_GE(sends, 2u) << len;
        auto totals = s.stat().totals;
        EXPECT_EQ(totals.unreached, 0u) << len << " bytes, after " << sends << " sends";
        EXPECT_EQ(totals.sent, 10 * sends) << len;
    }
}

TEST_F(Send, NonBlockingCountsWhomItCannotReach)
{
    slow_device(60);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(many(0x0a090002, 100)), 0);
    // never room for 100: the buffer is empty, so it starts all the same
    EXPECT_EQ(s.send(hundred, MSG_DONTWAIT), 100);
    auto stat = s.stat();
    EXPECT_GT(stat.totals.sent, 5u);
    EXPECT_GT(stat.totals.unreached, 5u);
    EXPECT_EQ(stat.totals.sent + stat.totals.unreached, 100u);
    EXPECT_EQ(stat.totals.failed, 0u);
    for (const auto &m : stat.members)
        EXPECT_EQ(m.sent, m.slot < stat.totals.sent ? 1u : 0u);
}

TEST_F(Send, ATimeoutEndsIt)
{
    slow_device(0.05);
    Sender s;
    timeval timeout{.tv_sec = 0, .tv_usec = 300000};
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(setsockopt(s.fd(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)), 0);
    ASSERT_EQ(s.set(many(0x0a090002, 100)), 0);
    auto start = clock::now();
    EXPECT_EQ(s.send(hundred), 100); // a part was reached
    auto took = clock::now() - start;
    EXPECT_GE(took, 250ms);
    EXPECT_LT(took, 2s);
    EXPECT_GT(s.stat().totals.unreached, 0u);
    EXPECT_EQ(s.send("x"), -EAGAIN); // and now nobody is
}

// Room comes again and again, each time before the timeout, but not for all.
TEST_F(Send, TheTimeoutIsTheWholeSends)
{
    slow_device(60);
    Sender s;
    timeval timeout{.tv_sec = 0, .tv_usec = 400000};
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(setsockopt(s.fd(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)), 0);
    ASSERT_EQ(s.set(many(0x0a090002, 400)), 0); // seven seconds' worth
    auto start = clock::now();
    EXPECT_EQ(s.send(hundred), 100);
    EXPECT_LT(clock::now() - start, 3s);
    auto totals = s.stat().totals;
    EXPECT_GT(totals.sent, 20000u / 832 + 5); // more than the buffer holds
    EXPECT_GT(totals.unreached, 100u);
    EXPECT_EQ(totals.sent + totals.unreached, 400u);
}

TEST_F(Send, ASignalEndsTheWait)
{
    slow_device(0.05);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(many(0x0a090002, 100)), 0);
    catch_signal();
    auto interrupt = [self = pthread_self()] {
        std::this_thread::sleep_for(300ms);
        pthread_kill(self, SIGUSR1);
    };
    std::thread first(interrupt);
    EXPECT_EQ(s.send(hundred), 100);
    first.join();
    EXPECT_GT(s.stat().totals.unreached, 0u);
    std::thread second(interrupt);
    EXPECT_EQ(s.send("x"), -EINTR);
    second.join();
}

// A send to 65,536 members must not hold a task that is to die.
TEST_F(Send, AFatalSignalEndsALargeSend)
{
    run("ip link add d0 type dummy; ip link set d0 up; ip addr add 10.8.0.1/16 dev d0");
    run("ip neigh add 10.8.0.2 lladdr 02:00:00:00:00:02 dev d0; "
        "ip route add 10.16.0.0/12 via 10.8.0.2");
    Sender s;
    auto members = many(0x0a100001, UDP_GROUP_MAX_MEMBERS);
    constexpr size_t part = 2048;
    ASSERT_EQ(s.set(std::span(members).first(part)), 0);
    auto start = clock::now();
    ASSERT_EQ(s.send("x"), 1);
    auto whole = (clock::now() - start) * (members.size() / part);
    ASSERT_EQ(s.stat().totals.sent, part);

    ASSERT_EQ(s.set(members), 0);
    pid_t pid = fork();
    if (pid == 0) {
        s.send("x");
        _exit(0);
    }
    std::this_thread::sleep_for(whole / 10);
    start = clock::now();
    kill(pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    auto took = clock::now() - start;
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_LT(took, whole / 4);
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, 2u);
    EXPECT_GT(stat.totals.sent, part);
    EXPECT_GT(stat.totals.unreached, 0u);
    EXPECT_EQ(stat.totals.sent + stat.totals.unreached, part + members.size());
}

// While another thread puts now these and now those in the group, every send
// reaches the whole of the ones or of the others.
TEST_F(Send, SeesOneVersionOfTheGroup)
{
    constexpr int size = 8, sends = 300;
    std::vector<Receiver> rs(size_t{2} * size);
    for (auto &r : rs) {
        int large = 1 << 20;
        setsockopt(r.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large));
    }
    auto all = addresses(rs);
    std::span<const sockaddr_in> these(all.data(), size), those(all.data() + size, size);
    Sender s;
    ASSERT_EQ(s.set(these), 0);
    std::atomic<bool> done = false;
    long changes = 0;
    std::thread change([&] {
        while (!done) {
            EXPECT_EQ(s.set(changes % 2 ? these : those), 0);
            changes++;
        }
    });
    std::vector<std::thread> senders;
    for (int t = 0; t < 2; t++)
        senders.emplace_back([&, t] {
            for (int i = 0; i < sends; i++) {
                std::string data = std::to_string(t) + ":" + std::to_string(i);
                EXPECT_EQ(s.send(data), static_cast<long>(data.size()));
            }
        });
    for (auto &t : senders)
        t.join();
    done = true;
    change.join();
    EXPECT_GT(changes, 10);

    std::map<std::string, std::pair<int, int>> got;
    for (size_t i = 0; i < rs.size(); i++)
        while (auto data = rs[i].next(MSG_DONTWAIT))
            (i < size ? got[*data].first : got[*data].second)++;
    EXPECT_EQ(got.size(), 2u * sends);
    for (const auto &[data, n] : got)
        EXPECT_TRUE((n.first == size && n.second == 0) || (n.first == 0 && n.second == size))
            << data << ": " << n.first << " and " << n.second;
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sent, 2ull * sends * size);
}

// Sends that block hold their version; there is a number past which no more
// is made, and it is there again when they are over.
TEST_F(Send, OldVersionsAreBounded)
{
    slow_device(0.05);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 5000), 0);
    catch_signal();

    std::vector<std::thread> blocked;
    size_t versions = 0;
    long err = 0;
    for (; versions < 100; versions++) {
        err = s.set(many(0x0a090002, 20 + versions));
        if (err)
            break;
        blocked.emplace_back([&] { s.send(hundred); });
        std::this_thread::sleep_for(50ms);
    }
    EXPECT_EQ(err, -EBUSY);
    EXPECT_GE(versions, 8u);
    EXPECT_EQ(s.stat().totals.members, 20 + versions - 1);
    for (auto &t : blocked) {
        pthread_kill(t.native_handle(), SIGUSR1);
        t.join();
    }
    EXPECT_EQ(s.set(many(0x0a090002, 5)), 0);
}

TEST_F(Send, PollSaysWhenThereIsRoom)
{
    slow_device(50);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(many(0x0a090002, 100)), 0);
    EXPECT_EQ(s.send(hundred, MSG_DONTWAIT), 100);
    pollfd p{.fd = s.fd(), .events = POLLOUT, .revents = 0};
    EXPECT_EQ(poll(&p, 1, 0), 0);
    EXPECT_EQ(poll(&p, 1, 5000), 1);
    EXPECT_TRUE(p.revents & POLLOUT);
}

} // namespace
} // namespace selftest
