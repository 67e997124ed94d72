// SPDX-License-Identifier: GPL-2.0-only
// Others beside a send to very many: a task on the same processor, and a socket
// that sends through the same device. What they wait for is measured in members
// that are sent to meanwhile, and so does not depend on how fast the machine is.

#include "../netdev.hpp"
#include "messages.hpp"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <thread>

namespace selftest {
namespace {

using std::chrono::duration;
using std::chrono::steady_clock;

constexpr uint32_t first_member = 0x0a080002; // 10.8.0.2
// the datagrams of a batch, for which bottom halves are off
constexpr double batch = 64;

void stay_on(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    ASSERT_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

double seconds_of(const std::function<void()> &what)
{
    auto start = steady_clock::now();
    what();
    return duration<double>(steady_clock::now() - start).count();
}

double quantile(std::vector<double> values, double q)
{
    std::sort(values.begin(), values.end());
    return values.at(static_cast<size_t>(q * static_cast<double>(values.size() - 1)));
}

class Fairness : public InNamespace {
protected:
    void SetUp() override
    {
        if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
            FAIL() << "needs two processors";
        // Behind a gateway: on the link each member would be a neighbour, of whom the
        // kernel keeps a thousand, and most of the time went to finding room for them.
        run("ip link add out type dummy; ip link set out up; ip addr add 10.7.0.1/24 dev out; "
            "ip route add 10.8.0.0/14 via 10.7.0.2; tc qdisc replace dev out root pfifo_fast");
    }
    // How many datagrams have left by the device.
    static double sent() { return static_cast<double>(netdev::tx_packets("out").value()); }
};

// sendmmsg() to each of them, in calls as long as there can be.
void send_many(const Sender &s, std::vector<sockaddr_in> &addrs, std::string &data)
{
    iovec iov{data.data(), data.size()};
    std::vector<mmsghdr> msgs(addrs.size());
    for (size_t i = 0; i < addrs.size(); i++) {
        msgs[i].msg_hdr.msg_name = &addrs[i];
        msgs[i].msg_hdr.msg_namelen = sizeof(addrs[i]);
        msgs[i].msg_hdr.msg_iov = &iov;
        msgs[i].msg_hdr.msg_iovlen = 1;
    }
    for (size_t i = 0; i < msgs.size();) {
        int n = sendmmsg(s.fd(), &msgs[i], static_cast<unsigned>(msgs.size() - i), 0);
        ASSERT_GT(n, 0) << strerror(errno);
        i += static_cast<size_t>(n);
    }
}

void report(const std::string &who, const std::string &way, double members, double ms, size_t n)
{
    std::cout << who << " beside " << way << ": waited for " << members << " members, " << ms
              << " ms (9 of 10 times; " << n << " times)\n";
}

// What half of those who wait do not exceed, and how many sends ended meanwhile.
struct Waited {
    double members, seconds;
    size_t sends = 0;
};

// How much longer half of them wait beside a group: by the clock, which on a machine
// that has other things to do tells more of these, so it is for who reads it.
void compare(const std::string &who, const std::string &way, const Waited &group,
             const Waited &many)
{
    std::cout << who << " beside " << way << ": waited " << group.seconds / many.seconds
              << " times as long as beside sendmmsg (half of the times): " << group.seconds * 1e3
              << " ms, " << many.seconds * 1e3 << " ms\n";
}

// How many members: a part of what there can be, unless asked for more. Sends are
// repeated until the other has waited often enough, however long they take.
size_t members_of_bulk()
{
    const char *asked = std::getenv("FAIRNESS_MEMBERS");
    return asked ? std::stoul(asked) : 2048;
}
constexpr size_t times = 20;

// A second task on the sender's processor wakes up every now and then, and has to
// wait until the sender lets it run: not because there is no room in its send buffer.
TEST_F(Fairness, ASecondTaskRuns)
{
    auto addrs = many(first_member, members_of_bulk());
    std::string data(100, 'x');
    auto beside = [&](const std::string &way, const std::function<void()> &bulk) {
        double seconds = 0;
        std::thread([&] {
            stay_on(0);
            bulk();
            seconds = seconds_of(bulk);
        }).join();

        std::atomic<bool> done = false;
        std::atomic<size_t> sends = 0;
        size_t meanwhile = 0;
        std::vector<double> late;
        std::thread sender([&] {
            stay_on(0);
            for (; !done; sends++)
                bulk();
        });
        std::thread other([&] {
            stay_on(0);
            const size_t before = sends;
            while (late.size() < times) {
                auto due = steady_clock::now() + duration<double>(seconds / 100);
                std::this_thread::sleep_until(due);
                late.push_back(duration<double>(steady_clock::now() - due).count());
            }
            meanwhile = sends - before;
            done = true;
        });
        other.join();
        sender.join();
        // how late, in members of such a send
        const double each = seconds / static_cast<double>(addrs.size());
        report("a task", way, quantile(late, 0.9) / each, quantile(late, 0.9) * 1e3, late.size());
        return Waited{quantile(late, 0.5) / each, quantile(late, 0.5), meanwhile};
    };
    Sender one;
    const auto beside_many = beside("sendmmsg", [&] { send_many(one, addrs, data); });
    for (const auto &way : ways()) {
        SCOPED_TRACE(way.name);
        Sender s;
        ASSERT_EQ(s.set(addrs), 0);
        ASSERT_EQ(s.option(SOL_SOCKET, SO_SNDBUFFORCE, 1 << 26), 0);
        Message message(data, way.control);
        const auto name = std::string("a send, ") + way.name;
        auto waited = beside(name, [&] { EXPECT_EQ(message.send(s, way.flags), 100); });
        EXPECT_LT(waited.members, 8 * batch);
        // uninterrupted, a send ends in every second wait or so
        EXPECT_LT(waited.sends, times / 5) << "it waits for the ends of sends";
        compare("a task", name, waited, beside_many);
    }
}

// A socket whose datagrams leave by the same device, from one processor or the
// other. When each has left its time stamp says.
class Neighbour {
public:
    explicit Neighbour(std::function<double()> sent) : sent_(std::move(sent))
    {
        EXPECT_EQ(s_.option(SOL_SOCKET, SO_TIMESTAMPING,
                            SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
                                SOF_TIMESTAMPING_OPT_TSONLY),
                  0);
    }
    // Sends one and waits until it has left.
    void send_one()
    {
        double before = sent_();
        auto start = steady_clock::now();
        ASSERT_EQ(s_.send_to("y", address("10.8.0.9", 5)), 1);
        pollfd p{.fd = s_.fd(), .events = 0, .revents = 0};
        ASSERT_EQ(poll(&p, 1, patience), 1) << "it has not left";
        seconds.push_back(duration<double>(steady_clock::now() - start).count());
        members.push_back(sent_() - before - 1);
        char control[256];
        msghdr msg{};
        msg.msg_control = control;
        msg.msg_controllen = sizeof(control);
        ASSERT_GE(recvmsg(s_.fd(), &msg, MSG_ERRQUEUE), 0);
    }
    std::vector<double> members, seconds;

private:
    std::function<double()> sent_;
    Sender s_;
};

// What a neighbour waits while the device is given as much as there can be at
// once, beside what it waits during sendmmsg() to the same.
TEST_F(Fairness, AnotherSocketsDatagramsLeave)
{
    auto addrs = many(first_member, members_of_bulk());
    std::string data(100, 'x');
    Sender group, one;
    ASSERT_EQ(group.set(addrs), 0);

    auto beside = [&](const std::string &way, unsigned cpu, const std::function<void()> &bulk) {
        std::atomic<bool> done = false;
        Neighbour neighbour(sent);
        std::thread sender([&] {
            stay_on(0);
            while (!done)
                bulk();
        });
        stay_on(cpu);
        for (size_t i = 0; i < times; i++) {
            neighbour.send_one();
            usleep(1000);
        }
        done = true;
        sender.join();
        report("a datagram from processor " + std::to_string(cpu), way,
               quantile(neighbour.members, 0.9), quantile(neighbour.seconds, 0.9) * 1e3, times);
        return Waited{quantile(neighbour.members, 0.5), quantile(neighbour.seconds, 0.5)};
    };
    for (std::string qdisc : {"pfifo_fast", "fq_codel", "fq"})
        for (unsigned cpu : {1u, 0u}) {
            SCOPED_TRACE(qdisc + ", from processor " + std::to_string(cpu));
            run("tc qdisc replace dev out root " + qdisc);
            const auto waited = beside(qdisc + ", a group send", cpu, [&] {
                EXPECT_EQ(group.send(data), static_cast<long>(data.size()));
            });
            const auto beside_many =
                beside(qdisc + ", sendmmsg", cpu, [&] { send_many(one, addrs, data); });
            EXPECT_LT(waited.members, 16 * batch);
            compare("a datagram from processor " + std::to_string(cpu), qdisc, waited, beside_many);
        }
    EXPECT_EQ(group.stat().totals.failed, 0u);
}

} // namespace
} // namespace selftest
