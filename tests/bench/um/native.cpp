// SPDX-License-Identifier: GPL-2.0-only
// What one member costs in time, in a kernel that runs at native speed:
//
//   native DEVICE MEMBERS BYTES ROUNDS
//
// Prints rows of JSON. Under User-Mode Linux a system call costs more than a
// hundred members do, so what is compared is the time inside the kernel:
//
//   group     from its begin to its end event, by the trace buffer's stamps;
//             and again as sendmmsg is measured, to see what the method does
//   sendmmsg  calls of 1,024 messages, less as many calls of none, which go the
//             same way into the kernel and out of it
//   pktgen    by its own clock: the driver's part, one packet at a time
//
// Connected sockets are not among them: a call for each member, less an empty
// one, is a difference far below what calls differ among themselves.

#include "../device.hpp"
#include "../figures.hpp"
#include "../ways.hpp"
#include "pktgen.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>

namespace {

void write_to(const std::string &file, std::string_view text)
{
    std::ofstream out(file);
    out << text << std::flush;
    if (!out)
        throw std::runtime_error("cannot write to " + file);
}

// The stamps of a send's two events.
class Trace {
public:
    Trace()
    {
        // the only one with a nanosecond's resolution here: UML's
        // sched_clock() counts jiffies
        write_to(dir + "trace_clock", "mono");
        write_to(dir + "events/udp_group/enable", "1");
    }
    ~Trace() { std::ofstream(dir + "events/udp_group/enable") << "0"; }
    Trace(const Trace &) = delete;
    Trace &operator=(const Trace &) = delete;

    static void clear() { write_to(dir + "trace", ""); }
    // In nanoseconds, of the one send since clear().
    static double send()
    {
        std::ifstream in(dir + "trace");
        double begin = 0, end = 0;
        int events = 0;
        for (std::string line; std::getline(in, line);) {
            bool is_begin = line.find(": udp_group_send_begin: ") != std::string::npos;
            bool is_end = line.find(": udp_group_send_end: ") != std::string::npos;
            if (!is_begin && !is_end)
                continue;
            events++;
            (is_begin ? begin : end) = stamp(line);
        }
        if (events != 2 || end <= begin)
            throw std::runtime_error("the trace does not have the send's two events");
        return (end - begin) * 1e9;
    }

private:
    // "task-1 [000] ..... 12.345678: udp_group_...": seconds
    static double stamp(const std::string &line)
    {
        size_t colon = line.find(": udp_group_");
        size_t space = line.rfind(' ', colon);
        return std::stod(line.substr(space + 1, colon - space - 1));
    }
    static inline const std::string dir = "/sys/kernel/tracing/";
};

struct Row {
    std::string way, method;
    std::vector<double> rounds; // nanoseconds a member
    uint64_t packets = 0, due = 0;
};

double median(std::vector<double> v)
{
    auto middle = v.begin() + static_cast<ptrdiff_t>(v.size() / 2);
    std::nth_element(v.begin(), middle, v.end());
    return *middle;
}

class Bench {
public:
    Bench(std::string device, size_t members, size_t bytes)
        : device_(std::move(device)), data_(bytes, 'x'), members_(members)
    {
        for (size_t i = 0; i < members; i++) {
            members_[i].sin_family = AF_INET;
            members_[i].sin_port = htons(9);
            members_[i].sin_addr.s_addr = htonl(first_member + static_cast<uint32_t>(i));
        }
        group_ = ways::make("group", members_, sndbuf);
        sendmmsg_ = ways::make("sendmmsg", members_, sndbuf);
    }

    // Every other round the other way round, so that none always comes first.
    void round(bool counts, bool backwards)
    {
        using way = void (Bench::*)(bool);
        std::array<way, 3> all{&Bench::send_group, &Bench::send_mmsg, &Bench::send_pktgen};
        if (backwards)
            std::reverse(all.begin(), all.end());
        for (auto one : all)
            (this->*one)(counts);
    }

    // As JSON; false if the device missed datagrams.
    bool print() const
    {
        bool complete = true;
        const char *separator = "";
        // the group's datagrams were counted once, for both of its rows
        uint64_t packets = rows_.at("group (whole call)").packets;
        uint64_t due = rows_.at("group (whole call)").due;
        for (const auto &[name, r] : rows_) {
            bool group = name == "group";
            printf("%s{\"way\":\"%s\",\"device\":\"dummy\",\"members\":%zu,\"bytes\":%zu,"
                   "\"sndbuf\":%d,\"value\":%.1f,\"unit\":\"ns a member\","
                   "\"kind\":\"wall clock\",\"method\":\"%s\",\"packets\":%llu,\"due\":%llu,"
                   "\"rounds\":[",
                   separator, name.c_str(), members_.size(), data_.size(), sndbuf, median(r.rounds),
                   r.method.c_str(), static_cast<unsigned long long>(group ? packets : r.packets),
                   static_cast<unsigned long long>(group ? due : r.due));
            for (size_t i = 0; i < r.rounds.size(); i++)
                printf("%s%.1f", i ? "," : "", r.rounds[i]);
            printf("]}");
            separator = ",\n";
            complete = complete && r.packets == r.due;
        }
        printf("\n");
        return complete;
    }

    double empty_call() const { return median(empty_); }

private:
    static constexpr uint32_t first_member = 0x0a400000; // 10.64.0.0
    static constexpr int sndbuf = 64 << 20;

    void send_group(bool counts)
    {
        Trace::clear();
        double call = measured("group (whole call)", counts,
                               [&] { return less_empty_calls(1, [&] { group_->send(data_); }); });
        row("group (whole call)", "the call, less an empty one", counts, call);
        row("group", "tracepoints", counts, Trace::send());
    }

    void send_mmsg(bool counts)
    {
        size_t calls = (members_.size() + 1023) / 1024;
        double took = measured("sendmmsg", counts, [&] {
            return less_empty_calls(calls, [&] { sendmmsg_->send(data_); });
        });
        row("sendmmsg", std::to_string(calls) + " calls, less as many empty ones", counts, took);
    }

    void send_pktgen(bool counts)
    {
        double took = measured("pktgen", counts, [&] {
            return Pktgen(device_.name(), first_member, members_.size(), data_.size()).run();
        });
        row("pktgen", "its own clock, burst 1", counts, took);
    }

    template <typename F> double less_empty_calls(size_t calls, F &&send)
    {
        const uint64_t start = now();
        send();
        const uint64_t sent = now();
        for (size_t i = 0; i < calls; i++)
            ways::check(sendmmsg(sendmmsg_->sockets()[0], nullptr, 0, 0) == 0, "empty sendmmsg");
        const auto empty = static_cast<double>(now() - sent);
        empty_.push_back(empty / static_cast<double>(calls));
        return static_cast<double>(sent - start) - empty;
    }

    // Runs one send, and counts what left the device.
    template <typename F> double measured(const char *way, bool counts, F &&send)
    {
        uint64_t before = device_.tx_packets();
        double took = send();
        if (counts) {
            rows_[way].packets += device_.tx_packets() - before;
            rows_[way].due += members_.size();
        }
        return took;
    }

    void row(const char *way, std::string method, bool counts, double took)
    {
        if (!counts)
            return;
        rows_[way].method = std::move(method);
        rows_[way].rounds.push_back(took / static_cast<double>(members_.size()));
    }

    Device device_;
    std::vector<char> data_;
    std::vector<sockaddr_in> members_;
    std::unique_ptr<ways::Way> group_, sendmmsg_;
    std::map<std::string, Row> rows_;
    std::vector<double> empty_;
};

} // namespace

int main(int argc, char **argv)
try {
    if (argc != 5) {
        fprintf(stderr, "usage: native DEVICE MEMBERS BYTES ROUNDS\n");
        return 2;
    }
    Trace trace;
    Bench bench(argv[1], static_cast<size_t>(atoi(argv[2])), static_cast<size_t>(atoi(argv[3])));
    bench.round(false, false); // warms up
    for (int i = 0; i < atoi(argv[4]); i++)
        bench.round(true, i % 2);
    bool complete = bench.print();
    std::ofstream("/results/empty_call") << bench.empty_call() << '\n';
    return complete ? 0 : 1;
} catch (const std::exception &e) {
    fprintf(stderr, "native: %s\n", e.what());
    return 1;
}
