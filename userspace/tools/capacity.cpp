// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "capacity.hpp"

#include "options.hpp"
#include "ways.hpp"

#include <groupcast/groupcast.hpp>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <map>
#include <stdexcept>

namespace capacity {
namespace {

// Why a way cannot be had here; empty if it can.
std::string obstacle(const std::string &way)
{
    if (way != "group")
        return {};
    std::error_code ec;
    groupcast::socket socket;
    groupcast::group group(socket.fd(), groupcast::backend_kind::kernel, ec);
    return ec ? "this kernel has no groups (" + ec.message() + ")" : std::string();
}

answer predict(const calibration &c, const calibration &first, double interval, double budget,
               uint64_t limit)
{
    answer a;
    a.way = c.way;
    a.bytes = c.bytes;
    a.interval = interval;
    a.budget = budget;
    a.fit = c.line.members_within(interval * budget);
    a.members = std::min<uint64_t>(a.fit, limit);
    a.predicted = c.line.cost(static_cast<double>(a.members));
    if (auto n = first.line.members_within(interval * budget); &c != &first && n) {
        a.instead = members_instead(first.line, c.line, static_cast<double>(n), interval);
        a.factor = a.instead / static_cast<double>(n);
    }
    return a;
}

findings find(const options &o)
{
    // The limit of groups can be read here, before there is another namespace
    const size_t most_in_group = most_members("group");
    const bench b{o.device.empty() ? network::private_one() : network::of(o.device, o.network),
                  o.port, o.rounds};
    findings found;
    found.device = b.where.device();

    std::map<std::string, uint64_t> limits;
    std::vector<std::string> ways = o.ways;
    if (ways.empty())
        ways.assign(std::begin(way_names), std::end(way_names));
    for (const auto &way : ways) {
        if (auto why = obstacle(way); !why.empty()) {
            found.unavailable.emplace_back(way, why);
            continue;
        }
        limits[way] =
            std::min<uint64_t>(way == "group" ? most_in_group : most_members(way), b.where.size());
        std::vector<size_t> sizes;
        std::copy_if(o.sizes.begin(), o.sizes.end(), std::back_inserter(sizes),
                     [&](size_t n) { return n <= limits[way]; });
        if (sizes.empty() || sizes.front() == sizes.back())
            throw std::invalid_argument(way + " can have " + std::to_string(limits[way]) +
                                        " members here: too few for the sizes of --points");
        for (size_t bytes : o.bytes)
            found.calibrations.push_back(b.calibrate(way, bytes, sizes));
    }

    for (size_t bytes : o.bytes) {
        for (double interval : o.intervals) {
            for (double budget : o.budgets) {
                const calibration *first = nullptr;
                for (const auto &c : found.calibrations) {
                    if (c.bytes != bytes)
                        continue;
                    if (!first)
                        first = &c;
                    found.answers.push_back(predict(c, *first, interval, budget, limits[c.way]));
                    auto &a = found.answers.back();
                    if (o.check && a.members)
                        a.measured = b.measure(a.way, a.members, a.bytes);
                }
            }
        }
    }
    return found;
}

} // namespace

int capacity_command(int argc, char **argv)
{
    options o;
    try {
        o = parse_options(argc, argv);
    } catch (const std::invalid_argument &e) {
        std::cerr << "groupcast capacity: " << e.what() << '\n';
        return 2;
    }
    if (o.help) {
        std::cout << usage();
        return 0;
    }
    auto found = find(o);
    o.json ? print_json(std::cout, found) : print_table(std::cout, found);

    int rc = 0;
    if (found.worst_error() > 0.1) {
        std::cerr << "groupcast capacity: a prediction is " << found.worst_error() * 100
                  << " % off what was measured; is the machine busy?\n";
        rc = 1;
    }
    // What was asked for by name must be there
    if (!found.unavailable.empty() && !o.ways.empty())
        rc = 1;
    return std::cout.flush() ? rc : 1;
}

} // namespace capacity
