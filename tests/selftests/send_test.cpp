// SPDX-License-Identifier: GPL-2.0-only
// What one send does: whom it reaches, what it waits for, what ends it.

#include "slow.hpp"

#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <map>
#include <thread>

namespace selftest {
namespace {

using clock = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

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

long plainly(const Sender &s) { return s.send(hundred); }

TEST_F(Send, WaitsForRoom)
{
    const double rate = slower_device(10, plainly, 500);
    const int before = tx_packets("slow");
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(many(0x0a090002, 200)), 0);
    auto start = clock::now();
    EXPECT_EQ(s.send(hundred), 100);
    // all but those that have room: no fewer than 100
    EXPECT_GT(clock::now() - start, seconds(100 / rate));
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sent, 200u);
    EXPECT_EQ(stat.totals.unreached, 0u);
    EXPECT_TRUE(eventually([&] { return charged(s) == 0; }));
    EXPECT_EQ(tx_packets("slow"), before + 200);
}

TEST_F(Send, NeverChargesMoreThanTheBufferAndADatagram)
{
    slower_device(10, plainly, 50);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(many(0x0a090002, 100)), 0);
    std::atomic<bool> done = false;
    int highest = 0;
    std::thread watch([&] {
        while (!done)
            highest = std::max(highest, charged(s));
    });
    EXPECT_EQ(s.send(hundred), 100);
    done = true;
    watch.join();
    EXPECT_GT(highest, 5000);
    EXPECT_LE(highest, 20000 + 1500); // the kernel doubles what is asked for
}

TEST_F(Send, NonBlockingStartsOnlyWithRoomForAll)
{
    stuck_device();
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
    let_all_leave();
    EXPECT_TRUE(eventually([&] { return charged(s) == 0; }));
    EXPECT_EQ(s.send(hundred, MSG_DONTWAIT), 100);
    EXPECT_EQ(s.stat().totals.sent, 60u);
}

TEST_F(Send, NonBlockingNeverStartsInVain)
{
    fast_device();
    run("tc qdisc add dev slow root tbf rate 1kbit burst 1600 limit 100000000");
    for (size_t len : {0, 1, 100, 220, 260, 300, 340, 380, 381, 420, 700, 900, 1400, 1472, 1473,
                       2500, 4000, 10000, 60000}) {
        Sender s;
        ASSERT_EQ(s.set(many(0x0a090002, 10)), 0);
        expect_all_or_none(s, 10, len);
    }
}

TEST_F(Send, NonBlockingCountsWhomItCannotReach)
{
    stuck_device();
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
    stuck_device();
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    set_send_timeout(s, 0.3);
    ASSERT_EQ(s.set(many(0x0a090002, 100)), 0);
    auto start = clock::now();
    EXPECT_EQ(s.send(hundred), 100); // a part was reached
    seconds took = clock::now() - start;
    EXPECT_GE(took.count(), 0.25);
    EXPECT_LT(took.count(), 15); // which is less than what the others would wait
    EXPECT_GT(s.stat().totals.unreached, 0u);
    EXPECT_EQ(s.send("x"), -EAGAIN); // and now nobody is
}

// Room comes again and again, each time before the timeout, but not for all.
TEST_F(Send, TheTimeoutIsTheWholeSends)
{
    const double rate = slower_device(10, plainly, 60);
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    // so long that a pause of the machine is not all of it
    set_send_timeout(s, 120 / rate);
    ASSERT_EQ(s.set(many(0x0a090002, 1000)), 0);
    auto start = clock::now();
    EXPECT_EQ(s.send(hundred), 100);
    EXPECT_LT(clock::now() - start, seconds(500 / rate));
    auto totals = s.stat().totals;
    EXPECT_GT(totals.sent, 20000u / 832 + 5); // more than the buffer holds
    EXPECT_GT(totals.unreached, 100u);
    EXPECT_EQ(totals.sent + totals.unreached, 1000u);
}

TEST_F(Send, ASignalEndsTheWait)
{
    stuck_device();
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(many(0x0a090002, 100)), 0);
    catch_signal();
    auto interrupt = [self = pthread_self(), id = gettid()] {
        await_sleep(id);
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
    ASSERT_EQ(s.set(members), 0);
    auto sent_to_first = [&] {
        struct {
            udp_grpstat totals;
            udp_grpstat_member first;
        } stat{};
        stat.totals.size = sizeof(stat.totals);
        stat.totals.member_size = sizeof(stat.first);
        socklen_t len = sizeof(stat);
        return getsockopt(s.fd(), SOL_SOCKET, SO_GRPSTAT, &stat, &len) == 0 && stat.first.sent;
    };
    pid_t pid = fork();
    if (pid == 0) {
        s.send("x");
        _exit(0);
    }
    EXPECT_TRUE(eventually(sent_to_first));
    kill(pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    auto stat = s.stat();
    EXPECT_EQ(stat.totals.sends, 1u);
    EXPECT_GT(stat.totals.sent, 0u);
    // at once: the most of it was still to come
    EXPECT_GT(stat.totals.unreached, members.size() / 2);
    EXPECT_EQ(stat.totals.sent + stat.totals.unreached, members.size());
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
    std::atomic<long> changes = 0;
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
                // now and then a change comes for sure
                while (changes < i / 20)
                    std::this_thread::yield();
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
    int all_that_came = 0;
    EXPECT_TRUE(eventually([&] {
        for (size_t i = 0; i < rs.size(); i++)
            for (; auto data = rs[i].next(MSG_DONTWAIT); all_that_came++)
                (i < size ? got[*data].first : got[*data].second)++;
        return all_that_came >= 2 * sends * size;
    }));
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
    stuck_device();
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
        blocked.push_back(waiting_thread([&] { s.send(hundred); }));
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
    stuck_device();
    Sender s;
    ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    ASSERT_EQ(s.set(many(0x0a090002, 100)), 0);
    EXPECT_EQ(s.send(hundred, MSG_DONTWAIT), 100);
    pollfd p{.fd = s.fd(), .events = POLLOUT, .revents = 0};
    EXPECT_EQ(poll(&p, 1, 0), 0);
    let_all_leave();
    EXPECT_EQ(poll(&p, 1, patience), 1);
    EXPECT_TRUE(p.revents & POLLOUT);
}

} // namespace
} // namespace selftest
