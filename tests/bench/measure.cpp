// SPDX-License-Identifier: GPL-2.0-only
// What one datagram to one member costs, a row of JSON for each way of sending,
// number of members and size:
//
//   measure DEVICE [NAME=VALUE...]
//   measure DEVICE neighbours COUNT
//
// ways=A,B members=1,16 bytes=100 sndbuf=default,large: what is measured;
// clock=instructions: under QEMU's -icount shift=0, where a nanosecond of the
//   guest's clock is one instruction; clock=wall: real time, until the device
//   has taken everything;
// rounds=5 datagrams=3000 repeats=1: so many rounds, the ways taking turns; the
//   median counts. In each of them so many times so many datagrams at least,
//   and between those times the device's queue is let run down to 500;
// warm=0: before each round of a way it sends for so many milliseconds unmeasured.
//   In an emulated machine what came after pktgen, or after a pause, took up to
//   half as long again;
// change=1: another member takes the place of one before each send;
// first=10.64.0.2: the first member's address;
// variant=TEXT: goes into each row;
// mark=PORT: the rounds are marked by text written to an I/O port, for who
//   counts from outside.
//
// The second form prints the members' neighbour entries for ip -batch. A row
// counts only if the device transmitted members x sends packets, else it has
// "void" with the reason.

#include "device.hpp"
#include "drain.hpp"
#include "members.hpp"
#include "source.hpp"

#include <sys/resource.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>

namespace {

struct Options {
    std::map<std::string, std::string> values{
        {"ways", "connected,sendto,sendmmsg,group"},
        {"members", "100"},
        {"bytes", "100"},
        {"sndbuf", "large"},
        {"clock", "instructions"},
        {"rounds", "5"},
        {"warm", "0"},
        {"datagrams", "3000"},
        {"repeats", "1"},
        {"change", "0"},
        {"first", first_member},
        {"variant", "plain"},
        {"mark", "0"},
    };
    void set(const std::string &argument)
    {
        auto eq = argument.find('=');
        auto at = values.find(argument.substr(0, eq));
        if (eq == std::string::npos || at == values.end())
            throw std::invalid_argument("no such option: " + argument);
        at->second = argument.substr(eq + 1);
    }
    size_t number(const std::string &name) const { return std::stoul(values.at(name), nullptr, 0); }
    std::vector<std::string> list(const std::string &name) const
    {
        std::vector<std::string> items;
        std::istringstream in(values.at(name));
        for (std::string item; std::getline(in, item, ',');)
            items.push_back(item);
        return items;
    }
};

// Text for whoever watches the machine from outside.
class Marks {
public:
    explicit Marks(size_t port) : port_(static_cast<off_t>(port))
    {
        if (port)
            ways::check((fd_ = open("/dev/port", O_WRONLY | O_CLOEXEC)) >= 0, "/dev/port");
    }
    Marks(const Marks &) = delete;
    Marks &operator=(const Marks &) = delete;
    ~Marks() { close(fd_); }
    void write(const std::string &line) const
    {
        if (!port_)
            return;
        for (char c : line + "\n")
            ways::check(pwrite(fd_, &c, 1, port_) == 1, "/dev/port");
    }

private:
    off_t port_;
    int fd_ = -1;
};

// One way's part of a measurement.
struct Row {
    std::string way;
    std::unique_ptr<Source> source;
    std::string reason; // why there is none
    std::vector<double> rounds{};
    uint64_t packets = 0, due = 0, hardware = 0, interrupts = 0, failed = 0;
};

class Measurement {
public:
    Measurement(const Options &options, const Device &device, const Setting &setting)
        : options_(options), device_(device), setting_(setting),
          wall_(options.values.at("clock") == "wall"), marks_(options.number("mark"))
    {
        const size_t n = setting.members.size();
        sends_ = std::max<size_t>((options.number("datagrams") + n - 1) / n, 1);
        for (const auto &name : options.list("ways")) {
            Row row{.way = name, .source = nullptr, .reason = {}};
            try {
                row.source = make_source(name, setting);
            } catch (const ways::NotPossible &e) {
                row.reason = e.what();
            }
            rows_.push_back(std::move(row));
        }
    }
    void run(const std::string &sndbuf)
    {
        // The first ones make routes, neighbours and slabs, and BQL's limit grow.
        for (auto &row : rows_) {
            try {
                if (row.source)
                    timed(row);
            } catch (const ways::NotPossible &e) {
                row.source.reset();
                row.reason = e.what();
            }
        }
        for (size_t round = 0; round < options_.number("rounds"); round++)
            for (auto &row : rows_)
                if (row.source)
                    measure(row, sndbuf);
        for (const auto &row : rows_)
            print(row, sndbuf);
    }

private:
    // How much may wait in the device's queue, which holds 1000, when more comes.
    static constexpr uint64_t queued = 500;

    // By the clock it is over when the device has taken everything; instructions
    // are those of the sends.
    Source::Run timed(Row &row)
    {
        Source::Run sum{0, 0};
        const uint64_t packets = device_.tx_packets(), start = now();
        const bool once = row.source->times_itself();
        for (size_t left = once ? 1 : options_.number("repeats"); left > 0; left--) {
            auto [took, due] = row.source->run(sends_);
            sum.nanoseconds += took;
            sum.datagrams += due;
            drain(device_, packets + sum.datagrams - (left > 1 ? std::min(due, queued) : 0));
        }
        if (wall_ && !once)
            sum.nanoseconds = now() - start;
        return sum;
    }
    void warm(Row &row)
    {
        const uint64_t until = now() + options_.number("warm") * 1'000'000;
        while (now() < until)
            drain(device_, device_.tx_packets() + row.source->run(sends_).datagrams);
    }
    void measure(Row &row, const std::string &sndbuf)
    {
        warm(row);
        uint64_t packets = device_.tx_packets();
        auto hardware = device_.hardware_packets();
        uint64_t failed = row.source->failed().value_or(0);
        uint64_t interrupts = device_.interrupts();
        std::ostringstream key;
        key << row.way << ' ' << device_.name() << ' ' << setting_.members.size() << ' '
            << setting_.data.size() << ' ' << sndbuf;
        marks_.write("begin");
        const auto [took, due] = timed(row);
        marks_.write("end " + key.str() + ' ' + std::to_string(due));
        row.rounds.push_back(static_cast<double>(took) / static_cast<double>(due));
        row.interrupts += device_.interrupts() - interrupts;
        row.failed += row.source->failed().value_or(0) - failed;
        row.packets += device_.tx_packets() - packets;
        row.hardware += hardware ? *device_.hardware_packets() - *hardware : 0;
        row.due += due;
    }
    void print(const Row &row, const std::string &sndbuf) const
    {
        printf("{\"way\": \"%s\", \"device\": \"%s\", \"variant\": \"%s\", \"members\": %zu, "
               "\"bytes\": %zu, \"sndbuf\": \"%s\", \"changed\": %s",
               row.way.c_str(), device_.name().c_str(), options_.values.at("variant").c_str(),
               setting_.members.size(), setting_.data.size(), sndbuf.c_str(),
               setting_.spare.empty() ? "false" : "true");
        if (!row.source) {
            printf(R"(, "not_possible": "%s"})"
                   "\n",
                   quoted(row.reason).c_str());
            return;
        }
        printf(", \"value\": %.2f, \"unit\": \"%s\", \"kind\": \"%s\", \"packets\": %llu, "
               "\"due\": %llu, \"interrupts\": %llu, \"rounds\": [",
               median(row.rounds), wall_ ? "ns/member" : "instructions/member",
               wall_ ? "wall clock" : "instructions", static_cast<unsigned long long>(row.packets),
               static_cast<unsigned long long>(row.due),
               static_cast<unsigned long long>(row.interrupts));
        for (size_t i = 0; i < row.rounds.size(); i++)
            printf("%s%.2f", i ? ", " : "", row.rounds[i]);
        printf("]");
        if (row.source->failed())
            printf(", \"failed\": %llu", static_cast<unsigned long long>(row.failed));
        if (auto limit = device_.queue_limit())
            printf(", \"queue_limit\": %llu", static_cast<unsigned long long>(*limit));
        bool counted = device_.hardware_packets().has_value();
        if (counted)
            printf(", \"hardware_packets\": %llu", static_cast<unsigned long long>(row.hardware));
        if (row.packets != row.due || (counted && row.hardware != row.due))
            printf(R"(, "void": "the device transmitted %llu of %llu")",
                   static_cast<unsigned long long>(counted ? row.hardware : row.packets),
                   static_cast<unsigned long long>(row.due));
        printf("}\n");
        // for who watches
        fprintf(stderr, "%s %s %zu x %zu: %.0f%s\n", device_.name().c_str(), row.way.c_str(),
                setting_.members.size(), setting_.data.size(), median(row.rounds),
                row.packets == row.due ? "" : " void");
    }
    static std::string quoted(const std::string &text)
    {
        std::string out;
        for (char c : text) {
            if (c == '"' || c == '\\')
                out += '\\';
            out += c == '\n' ? ' ' : c;
        }
        return out;
    }

    const Options &options_;
    const Device &device_;
    const Setting &setting_;
    bool wall_;
    Marks marks_;
    size_t sends_ = 0;
    std::vector<Row> rows_;
};

void neighbours(const std::string &device, const std::string &first, size_t count)
{
    for (const auto &member : addresses(first, 0, count))
        printf("neigh replace %s lladdr %s nud permanent dev %s\n", inet_ntoa(member.sin_addr),
               ways::to_string(ways::sink_mac).c_str(), device.c_str());
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc < 2) {
        fprintf(stderr, "usage: measure DEVICE [NAME=VALUE...] | DEVICE neighbours COUNT\n");
        return 2;
    }
    Options options;
    if (argc == 4 && !strcmp(argv[2], "neighbours")) {
        neighbours(argv[1], options.values.at("first"), std::stoul(argv[3]));
        return 0;
    }
    for (int i = 2; i < argc; i++)
        options.set(argv[i]);
    const Device device(argv[1]);

    // Connected sockets are one each.
    const rlimit files{.rlim_cur = 1 << 17, .rlim_max = 1 << 17};
    ways::check(!setrlimit(RLIMIT_NOFILE, &files), "RLIMIT_NOFILE");

    for (const auto &sndbuf : options.list("sndbuf")) {
        for (const auto &bytes : options.list("bytes")) {
            for (const auto &members : options.list("members")) {
                const size_t n = std::stoul(members);
                const auto &first = options.values.at("first");
                const Setting setting{
                    .device = device.name(),
                    .members = addresses(first, 0, n),
                    .data = std::vector<char>(std::stoul(bytes), 'x'),
                    .sndbuf = sndbuf == "large" ? 64 << 20 : 0,
                    .spare = options.number("change") ? addresses(first, n, n)
                                                      : std::vector<sockaddr_in>{},
                };
                Measurement(options, device, setting).run(sndbuf);
                fflush(stdout);
            }
        }
    }
    return 0;
} catch (const std::exception &e) {
    fprintf(stderr, "measure: %s\n", e.what());
    return 1;
}
