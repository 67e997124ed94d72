// SPDX-License-Identifier: GPL-2.0-only
// The paper's table: datagrams of 100 bytes to N members every 33.3 ms, by the
// program (connected sockets) and by the kernel (a group), in turns:
//
//   table DEVICE
//
// First with the paper's N; then with N chosen so that the program's send takes
// the same fractions of the interval as it did in the paper, which is where the
// factors can be compared.
//
// In the interval a program also has other work, as much for each member. If
// the send takes the fraction f of it, and the kernel sends r times as fast,
// then in the same interval there is room for 1 / (1 - f + f / r) times as many
// members: the increase factor. Whether they do fit is then tried.
//
// A send is over when the device has taken everything: the processor that sends
// is the one that works off the queue, before send() returns or after.

#include "device.hpp"
#include "drain.hpp"
#include "members.hpp"
#include "source.hpp"

#include <sys/resource.h>

#include <cmath>
#include <cstdio>

namespace {

constexpr double interval = 33.3e6; // nanoseconds
constexpr size_t bytes = 100;
constexpr int intervals = 25;
constexpr size_t most = 60000; // members, behind one gateway
constexpr const char *first = "10.128.0.1";

struct Paper {
    size_t members;
    double fraction, factor;
};
constexpr Paper paper[] = {{40, 0.08, 1.06},  // Karsten, Song, Kwok, Brecht,
                           {120, 0.25, 1.24}, // Efficient Operating System Support
                           {240, 0.50, 1.63}, // for Group Unicast, NOSSDAV 2005
                           {360, 0.75, 2.39},
                           {480, 0.99, 4.52}};

// One way of sending, once an interval.
class Sender {
public:
    Sender(std::string_view way, const Device &device, size_t members)
        : device_(device), setting_{.device = device.name(),
                                    .members = addresses(first, 0, members),
                                    .data = std::vector<char>(bytes, 'x'),
                                    .sndbuf = 0,
                                    .spare = {}},
          source_(way, setting_)
    {
        uint64_t before = device_.tx_packets();
        source_.run(1);
        drain(device_, before + members);
    }
    void send()
    {
        const uint64_t before = device_.tx_packets(), start = now();
        source_.run(1);
        drain(device_, before + setting_.members.size());
        took_.push_back(static_cast<double>(now() - start));
        packets_ += device_.tx_packets() - before;
    }
    double median_time() const { return median(took_); }
    uint64_t packets() const { return packets_; }
    uint64_t due() const { return took_.size() * setting_.members.size(); }

private:
    const Device &device_;
    Setting setting_;
    WaySource source_;
    std::vector<double> took_;
    uint64_t packets_ = 0;
};

// Waits for the beginning of the next interval.
class Pace {
public:
    Pace() : next_(now()) {}
    void wait()
    {
        next_ = std::max(next_ + static_cast<uint64_t>(interval), now());
        const timespec at{.tv_sec = static_cast<time_t>(next_ / 1'000'000'000),
                          .tv_nsec = static_cast<long>(next_ % 1'000'000'000)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
    }

private:
    uint64_t next_;
};

double cost_of_user_send(const Device &device, size_t members)
{
    Sender user("connected", device, members);
    Pace pace;
    for (int i = 0; i < intervals / 2; i++) {
        pace.wait();
        user.send();
    }
    return user.median_time();
}

// So many that the program's send takes the same part of the interval. What one
// costs depends on how many there are, so that is found step by step.
size_t members_for(const Device &device, const Paper &row)
{
    size_t members = row.members;
    for (int step = 0; step < 6; step++) {
        double off = row.fraction * interval / cost_of_user_send(device, members);
        if (std::abs(off - 1) < 0.02)
            break;
        members = std::clamp<size_t>(
            static_cast<size_t>(static_cast<double>(members) * std::clamp(off, 0.25, 4.0)), 1,
            most / 8);
    }
    return members;
}

void print_row(const Device &device, size_t members, const Paper &reference, bool chosen)
{
    Sender user("connected", device, members), kernel("group", device, members);
    Pace pace;
    for (int i = 0; i < intervals; i++) {
        pace.wait();
        user.send();
        pace.wait();
        kernel.send();
    }
    const double n = static_cast<double>(members), f = user.median_time() / interval,
                 r = user.median_time() / kernel.median_time(), factor = 1 / (1 - f + f / r);
    uint64_t packets = user.packets() + kernel.packets(), due = user.due() + kernel.due();

    printf("{\"way\": \"group in place of connected\", \"device\": \"%s\", \"members\": %zu, "
           "\"bytes\": %zu, \"sndbuf\": \"default\", \"unit\": \"increase factor\", "
           "\"kind\": \"wall clock\", \"chosen\": %s, \"paper_members\": %zu, "
           "\"paper_fraction\": %.2f, \"paper_factor\": %.2f, \"user_ms\": %.3f, "
           "\"kernel_ms\": %.3f, \"fraction\": %.4f",
           device.name().c_str(), members, bytes, chosen ? "true" : "false", reference.members,
           reference.fraction, reference.factor, user.median_time() / 1e6,
           kernel.median_time() / 1e6, f);
    if (f < 1) {
        // Do so many fit? Their send, and the other work for each of them.
        const auto fit = static_cast<size_t>(std::floor(n * factor));
        printf(R"(, "value": %.3f, "members_that_fit": %zu)", factor, fit);
        if (fit <= most) {
            Sender tried("group", device, fit);
            for (int i = 0; i < intervals / 2; i++) {
                pace.wait();
                tried.send();
            }
            const double other = (1 - f) * interval / n;
            printf(R"(, "tried_ms": %.3f, "tried_fraction": %.4f)", tried.median_time() / 1e6,
                   (tried.median_time() + other * static_cast<double>(fit)) / interval);
            packets += tried.packets();
            due += tried.due();
        }
    } else {
        printf(R"(, "not_possible": "the program's send takes longer than the interval")");
    }
    printf(R"(, "packets": %llu, "due": %llu)", static_cast<unsigned long long>(packets),
           static_cast<unsigned long long>(due));
    if (packets != due)
        printf(R"(, "void": "the device transmitted %llu of %llu")",
               static_cast<unsigned long long>(packets), static_cast<unsigned long long>(due));
    printf("}\n");
    fflush(stdout);
    fprintf(stderr, "%s %zu: user %.2f ms, kernel %.2f ms, factor %.2f, paper %.2f\n",
            device.name().c_str(), members, user.median_time() / 1e6, kernel.median_time() / 1e6,
            factor, reference.factor);
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc != 2) {
        fprintf(stderr, "usage: table DEVICE\n");
        return 2;
    }
    const Device device(argv[1]);
    const rlimit files{.rlim_cur = 1 << 17, .rlim_max = 1 << 17};
    ways::check(!setrlimit(RLIMIT_NOFILE, &files), "RLIMIT_NOFILE");

    for (const auto &row : paper)
        print_row(device, row.members, row, false);
    for (const auto &row : paper)
        print_row(device, members_for(device, row), row, true);
    return 0;
} catch (const std::exception &e) {
    fprintf(stderr, "table: %s\n", e.what());
    return 1;
}
