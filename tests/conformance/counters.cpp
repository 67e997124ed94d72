// SPDX-License-Identifier: GPL-2.0-only
#include "counters.hpp"

#include <filesystem>

namespace conformance {

namespace {

// Pairs of lines: names, values, each after a protocol's name.
void read_pairs(const char *path, Counters &all)
{
    std::ifstream in(path);
    std::string names, values, protocol, name;
    long value = 0;
    while (std::getline(in, names) && std::getline(in, values)) {
        std::istringstream n(names), v(values);
        n >> protocol;
        v >> protocol;
        while (n >> name && v >> value)
            all[protocol + name] = value;
    }
}

// Lines of a name and a value.
void read_lines(const std::string &path, const std::string &prefix, Counters &all)
{
    std::ifstream in(path);
    std::string name;
    long value = 0;
    while (in >> name >> value)
        all[prefix + name] = value;
}

void read_ip6(Counters &all)
{
    const std::string net = "/proc/thread-self/net/";
    read_lines(net + "snmp6", "", all);
    for (const auto &device : std::filesystem::directory_iterator(net + "dev_snmp6"))
        read_lines(device.path(), device.path().filename().string() + ":", all);
}

void read_devices(Counters &all)
{
    static const char *const names[] = {"rx_bytes", "rx_packets", "rx_errs", "rx_drop",
                                        "rx_fifo",  "rx_frame",   "rx_comp", "rx_mcast",
                                        "tx_bytes", "tx_packets", "tx_errs", "tx_drop"};
    std::ifstream in("/proc/thread-self/net/dev");
    std::string line;
    while (std::getline(in, line)) {
        size_t colon = line.find(':');
        if (colon == std::string::npos)
            continue;
        size_t begin = line.find_first_not_of(' ');
        std::istringstream values(line.substr(colon + 1));
        for (auto name : names)
            values >> all[line.substr(begin, colon - begin) + ":" + name];
    }
}

} // namespace

Counters counters()
{
    Counters all;
    read_pairs("/proc/thread-self/net/snmp", all);
    read_pairs("/proc/thread-self/net/netstat", all);
    read_devices(all);
    read_ip6(all);
    if (!all.count("Udp:OutDatagrams") || !all.count("Ip:OutRequests") ||
        !all.count("IpExt:OutOctets") || !all.count("lo:tx_packets") ||
        !all.count("Udp6OutDatagrams") || !all.count("lo:Ip6OutRequests"))
        throw std::runtime_error("counters are missing");
    return all;
}

Counters growth(const Counters &before, const Counters &after)
{
    Counters grown;
    for (const auto &[name, value] : after) {
        auto was = before.find(name);
        long by = value - (was == before.end() ? 0 : was->second);
        if (by)
            grown[name] = by;
    }
    return grown;
}

} // namespace conformance
