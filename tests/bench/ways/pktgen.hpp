// SPDX-License-Identifier: GPL-2.0-only
// The kernel's packet generator, which calls the driver with ready packets: the
// limit of what a loop in the kernel can reach. It is no way of sending, since
// it sends nobody's data.
#pragma once

#include "link.hpp"

#include <fstream>
#include <iterator>
#include <utility>

namespace ways {

class Pktgen {
public:
    // With burst 1 a new packet each time, the addresses in turn; with more,
    // one packet over and over, and burst of them before the device is told.
    Pktgen(const std::string &device, std::span<const sockaddr_in> members, size_t bytes,
           unsigned burst)
        : device_(device + "@0"), entry_(root + device_)
    {
        const Link link(device);
        settings_ = {"pkt_size " + std::to_string(14 + 20 + 8 + bytes),
                     "delay 0",
                     "flag NO_TIMESTAMP",
                     "dst_mac " + to_string(sink_mac),
                     std::string("src_min ") + inet_ntoa(link.address),
                     std::string("dst_min ") + inet_ntoa(members.front().sin_addr),
                     std::string("dst_max ") + inet_ntoa(members.back().sin_addr)};
        if (burst > 1) {
            settings_.emplace_back("clone_skb 1000000");
            settings_.push_back("burst " + std::to_string(burst));
        }
        set_up();
    }
    Pktgen(const Pktgen &) = delete;
    Pktgen &operator=(const Pktgen &) = delete;
    ~Pktgen()
    {
        std::ofstream out(thread);
        out << "rem_device_all\n";
    }
    // Sends so many or, since it sends whole bursts, some more. Returns the
    // nanoseconds that it says it took, and how many packets that were.
    std::pair<uint64_t, uint64_t> run(size_t packets)
    {
        set_up();
        tell(entry_, "count " + std::to_string(packets));
        tell(root + "pgctrl", "start");
        std::ifstream in(entry_);
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        auto at = text.find("Result: OK: ");
        unsigned long long took = 0, sent = 0;
        if (at == std::string::npos ||
            sscanf(text.c_str() + at, "Result: OK: %llu(c%*[^)]) usec, %llu", &took, &sent) != 2)
            throw std::runtime_error("pktgen: " + text);
        return {took * 1000, sent};
    }

private:
    inline static const std::string root = "/proc/net/pktgen/";
    static constexpr const char *thread = "/proc/net/pktgen/kpktgend_0";

    // Anew for each run: there is one generator, and others use it in between.
    void set_up() const
    {
        tell(thread, "rem_device_all");
        tell(thread, "add_device " + device_);
        for (const auto &setting : settings_)
            tell(entry_, setting);
    }
    static void tell(const std::string &file, const std::string &command)
    {
        std::ofstream out(file);
        out << command << '\n' << std::flush;
        // The kernel's own "not supported", which no header of the C library has
        constexpr int enotsupp = 524;
        if (!out && (errno == enotsupp || errno == EOPNOTSUPP || errno == ENOENT))
            throw NotPossible("pktgen: the device does not take \"" + command + "\"");
        if (!out)
            throw std::system_error(errno, std::generic_category(), file + ": " + command);
    }

    std::string device_, entry_;
    std::vector<std::string> settings_;
};

} // namespace ways
