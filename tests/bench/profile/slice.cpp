// SPDX-License-Identifier: GPL-2.0-only
// Sends between marks that the plugin sees, for each way of sending:
//
//   slice DEVICE FIRST-MEMBER MEMBERS BYTES WARM SENDS ROUNDS FIRST-WINDOW WAY
//
// Each round is a window, numbered from FIRST-WINDOW on. A line on standard
// output for each says what it was: window, way, members, bytes, sends, the
// guest's clock over the sends (with -icount shift=0 a nanosecond is an
// instruction), packets the device transmitted, as the hardware counts where it
// does, and packets due. It fails if these differ.

#include "../device.hpp"
#include "../figures.hpp"
#include "../ways/all.hpp"
#include "markers.hpp"

#include <arpa/inet.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>

namespace {

std::vector<sockaddr_in> addresses(const char *first, size_t members)
{
    in_addr base{};
    if (!inet_aton(first, &base))
        throw std::invalid_argument(std::string("no address: ") + first);
    std::vector<sockaddr_in> all(members);
    for (size_t i = 0; i < members; i++) {
        all[i].sin_family = AF_INET;
        all[i].sin_port = htons(9);
        all[i].sin_addr.s_addr = htonl(ntohl(base.s_addr) + static_cast<uint32_t>(i));
    }
    return all;
}

// A socket a member is what one of the ways is about.
void allow_files(size_t files)
{
    const rlimit limit{files, files};
    ways::check(!setrlimit(RLIMIT_NOFILE, &limit), "RLIMIT_NOFILE");
}

uint64_t transmitted(const Device &device)
{
    const auto hardware = device.hardware_packets();
    return hardware ? *hardware : device.tx_packets();
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc != 10) {
        fprintf(stderr, "usage: slice DEVICE FIRST-MEMBER MEMBERS BYTES WARM SENDS ROUNDS "
                        "FIRST-WINDOW WAY\n");
        return 2;
    }
    const std::string name = argv[9];
    const Device device(argv[1]);
    const auto members = addresses(argv[2], static_cast<size_t>(atoi(argv[3])));
    const std::vector<char> data(static_cast<size_t>(atoi(argv[4])), 'x');
    const int warm = atoi(argv[5]), sends = atoi(argv[6]), rounds = atoi(argv[7]);
    const auto first = static_cast<unsigned>(atoi(argv[8]));
    const uint64_t due = members.size() * static_cast<uint64_t>(sends);
    allow_files(members.size() + 64);

    auto way = ways::make_any(name, device.name(), members, 64 << 20);
    markers::warm();
    for (int i = 0; i < warm; i++)
        way->send(data);

    int rc = 0;
    for (unsigned window = first; window < first + static_cast<unsigned>(rounds); window++) {
        const uint64_t before = transmitted(device), start = now();
        markers::measure(window, [&] {
            for (int i = 0; i < sends; i++)
                way->send(data);
        });
        const uint64_t took = now() - start, packets = transmitted(device) - before;
        printf("%u %s %zu %zu %d %llu %llu %llu\n", window, name.c_str(), members.size(),
               data.size(), sends, static_cast<unsigned long long>(took),
               static_cast<unsigned long long>(packets), static_cast<unsigned long long>(due));
        if (packets != due)
            rc = 1;
    }
    return rc;
} catch (const std::exception &e) {
    fprintf(stderr, "slice: %s\n", e.what());
    return 1;
}
