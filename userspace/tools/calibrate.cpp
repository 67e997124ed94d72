// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "calibrate.hpp"

#include "ways.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <stdexcept>
#include <thread>

namespace capacity {
namespace {

// On the dummy device nothing waits, so processor time is what a send takes when
// nothing else runs; on another, waiting is a part of it.
double now(const network &where)
{
    timespec t{};
    clock_gettime(where.is_private() ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

// A real device may be sending still.
uint64_t transmitted(const network &where, uint64_t due)
{
    using namespace std::chrono;
    auto patience = steady_clock::now() + seconds(2);
    uint64_t n = where.transmitted();
    while (n < due && steady_clock::now() < patience) {
        std::this_thread::sleep_for(milliseconds(1));
        n = where.transmitted();
    }
    return n;
}

} // namespace

double calibration::worst_error() const
{
    double worst = 0;
    for (const auto &p : points)
        worst = std::max(worst, std::abs(error(line, p)));
    return worst;
}

measurement bench::measure(const std::string &name, size_t members, size_t bytes) const
{
    // A round is long enough for the clock to be read beside it
    const size_t sends = std::max<size_t>(1, 2048 / members);
    const std::vector<std::byte> data(bytes, std::byte{'x'});
    const auto way = make_way(name, where.members(members, port));

    uint64_t before = where.transmitted();
    for (size_t i = 0; i < sends; i++) // warms up
        way->send(data);

    std::vector<double> took;
    for (int round = 0; round < rounds; round++) {
        double start = now(where);
        for (size_t i = 0; i < sends; i++)
            way->send(data);
        took.push_back((now(where) - start) / static_cast<double>(sends));
    }
    auto median = took.begin() + static_cast<ptrdiff_t>(took.size() / 2);
    std::nth_element(took.begin(), median, took.end());

    measurement m{members, *median, 0, members * sends * static_cast<size_t>(rounds + 1)};
    m.packets = transmitted(where, before + m.due) - before;
    // Others may send through a device of the user's as well
    if (m.packets < m.due || (where.is_private() && m.packets != m.due))
        throw std::runtime_error(
            name + ", " + std::to_string(members) + " members: " + where.device() + " sent " +
            std::to_string(m.packets) + " datagrams of " + std::to_string(m.due));
    return m;
}

calibration bench::calibrate(const std::string &way, size_t bytes,
                             const std::vector<size_t> &sizes) const
{
    calibration c{way, bytes, {}, {}};
    for (size_t members : sizes)
        c.points.push_back(measure(way, members, bytes));
    c.line = fit(std::vector<point>(c.points.begin(), c.points.end()));
    return c;
}

} // namespace capacity
