// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "options.hpp"

#include "ways.hpp"

#include <getopt.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <stdexcept>

namespace capacity {
namespace {

std::vector<std::string> split(const std::string &list)
{
    std::vector<std::string> parts;
    std::istringstream in(list);
    for (std::string part; std::getline(in, part, ',');)
        parts.push_back(part);
    return parts;
}

// A number and what is after it.
double leading_number(const std::string &text, std::string &rest)
{
    double value = 0;
    const char *end = text.data() + text.size();
    auto [next, err] = std::from_chars(text.data(), end, value);
    if (err != std::errc() || !std::isfinite(value))
        throw std::invalid_argument("not a number: " + text);
    rest.assign(next, end);
    return value;
}

size_t whole_number(const std::string &text, size_t least, size_t most)
{
    std::string rest;
    double value = leading_number(text, rest);
    if (!rest.empty() || value != std::floor(value) || value < static_cast<double>(least) ||
        value > static_cast<double>(most))
        throw std::invalid_argument("not a number from " + std::to_string(least) + " to " +
                                    std::to_string(most) + ": " + text);
    return static_cast<size_t>(value);
}

double nanoseconds(const std::string &text)
{
    std::string unit;
    double value = leading_number(text, unit);
    double factor = unit == "ns"   ? 1
                    : unit == "us" ? 1e3
                    : unit == "ms" ? 1e6
                    : unit == "s"  ? 1e9
                                   : 0;
    if (!(value * factor > 0))
        throw std::invalid_argument("not a time in ns, us, ms or s: " + text);
    return value * factor;
}

double part(const std::string &text)
{
    std::string rest;
    double value = leading_number(text, rest);
    if (!rest.empty() || !(value > 0) || value > 1)
        throw std::invalid_argument("not a part of 1: " + text);
    return value;
}

template <typename Parse> auto list(const char *text, Parse &&parse)
{
    std::vector<decltype(parse(std::string()))> values;
    for (const auto &one : split(text))
        values.push_back(parse(one));
    if (values.empty())
        throw std::invalid_argument("an empty list");
    return values;
}

std::string known_way(const std::string &name)
{
    if (std::find(std::begin(way_names), std::end(way_names), name) == std::end(way_names))
        throw std::invalid_argument("no such way: " + name);
    return name;
}

} // namespace

const char *usage()
{
    return "usage: groupcast capacity [OPTION...]\n"
           "How many members fit, for each way of sending to them, on this machine.\n\n"
           "  -s, --size BYTES,...      of a datagram (100)\n"
           "  -i, --interval TIME,...   between two sends, as 33.3ms, 500us or 1s (33.3ms)\n"
           "  -b, --budget PART,...     of the interval that a send may take (0.5)\n"
           "  -w, --way WAY,...         connected, sendmmsg, group (all)\n"
           "      --device DEV, --network ADDRESS/LENGTH\n"
           "                            send there, instead of to a dummy device in a network\n"
           "                            namespace of its own\n"
           "      --port PORT           (9, discard)\n"
           "      --points N,...        sizes to calibrate with (16,64,256,1024,4096)\n"
           "      --rounds N            a measurement is the median of so many (7)\n"
           "      --no-check            do not measure what was predicted\n"
           "  -j, --json\n";
}

options parse_options(int argc, char **argv)
{
    enum { device = 256, network, port, points, rounds, no_check };
    static constexpr option known[] = {
        {"size", required_argument, nullptr, 's'},
        {"interval", required_argument, nullptr, 'i'},
        {"budget", required_argument, nullptr, 'b'},
        {"way", required_argument, nullptr, 'w'},
        {"json", no_argument, nullptr, 'j'},
        {"help", no_argument, nullptr, 'h'},
        {"device", required_argument, nullptr, device},
        {"network", required_argument, nullptr, network},
        {"port", required_argument, nullptr, port},
        {"points", required_argument, nullptr, points},
        {"rounds", required_argument, nullptr, rounds},
        {"no-check", no_argument, nullptr, no_check},
        {},
    };

    options o;
    for (int c; (c = getopt_long(argc, argv, "s:i:b:w:jh", known, nullptr)) != -1;) {
        switch (c) {
        case 's':
            o.bytes = list(optarg, [](const auto &t) { return whole_number(t, 0, 65507); });
            break;
        case 'i':
            o.intervals = list(optarg, nanoseconds);
            break;
        case 'b':
            o.budgets = list(optarg, part);
            break;
        case 'w':
            o.ways = list(optarg, known_way);
            break;
        case 'j':
            o.json = true;
            break;
        case 'h':
            o.help = true;
            break;
        case device:
            o.device = optarg;
            break;
        case network:
            o.network = optarg;
            break;
        case port:
            o.port = static_cast<uint16_t>(whole_number(optarg, 1, 65535));
            break;
        case points:
            o.sizes = list(optarg, [](const auto &t) { return whole_number(t, 1, 1 << 20); });
            break;
        case rounds:
            o.rounds = static_cast<int>(whole_number(optarg, 1, 1000));
            break;
        case no_check:
            o.check = false;
            break;
        default:
            throw std::invalid_argument("see groupcast capacity --help");
        }
    }
    if (optind < argc)
        throw std::invalid_argument("unexpected: " + std::string(argv[optind]));
    if (o.device.empty() != o.network.empty())
        throw std::invalid_argument("--device and --network go together");
    std::sort(o.sizes.begin(), o.sizes.end());
    if (o.sizes.front() == o.sizes.back())
        throw std::invalid_argument("--points needs two sizes");
    return o;
}

} // namespace capacity
