// SPDX-License-Identifier: GPL-2.0-only
// What one member costs, for each way of sending:
//
//   count DEVICE MEMBERS BYTES [WAY...]
//
// Under QEMU's -icount shift=0 a nanosecond of the guest's clock is one
// instruction, so the clock counts them, and the figure repeats exactly. The
// members are addresses behind DEVICE. A row counts only if
// the device transmitted members x sends packets.

#include "device.hpp"
#include "figures.hpp"
#include "members.hpp"
#include "ways.hpp"

#include <cstdio>
#include <cstdlib>

int main(int argc, char **argv)
try {
    if (argc < 4) {
        fprintf(stderr, "usage: count DEVICE MEMBERS BYTES [WAY...]\n");
        return 2;
    }
    const Device device(argv[1]);
    const auto members = static_cast<size_t>(atoi(argv[2]));
    const std::vector<char> data(static_cast<size_t>(atoi(argv[3])), 'x');
    constexpr int warm = 5, rounds = 15, sends = 20;

    const auto addrs = addresses(first_member, 0, members);
    std::vector<std::string_view> names(argv + 4, argv + argc);
    if (names.empty())
        names = ways::names();

    int rc = 0;
    for (auto name : names) {
        auto way = ways::make(name, addrs, 64 << 20);
        for (int i = 0; i < warm; i++)
            way->send(data);
        uint64_t packets = device.tx_packets();
        std::vector<double> took;
        for (int round = 0; round < rounds; round++) {
            uint64_t start = now();
            for (int i = 0; i < sends; i++)
                way->send(data);
            took.push_back(static_cast<double>(now() - start));
        }
        packets = device.tx_packets() - packets;
        size_t due = members * rounds * sends;
        bool complete = packets == due;
        // the fields: way, members, bytes, instructions a member, packets, due
        printf("%s %zu %zu %.0f %llu %zu\n", std::string(name).c_str(), members, data.size(),
               median(took) / static_cast<double>(members * sends),
               static_cast<unsigned long long>(packets), due);
        if (!complete)
            rc = 1;
    }
    return rc;
} catch (const std::exception &e) {
    fprintf(stderr, "count: %s\n", e.what());
    return 1;
}
