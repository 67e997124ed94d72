// SPDX-License-Identifier: GPL-2.0-only
// The kernel's packet generator, which hands packets to the driver with nothing
// in between: the limit of what a sender could reach.
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

class Pktgen {
public:
    // One packet to each of `members` addresses from `first` on, each built
    // anew and handed over alone (clone_skb 0, burst 1), as a group's are.
    Pktgen(const std::string &device, uint32_t first, size_t members, size_t bytes)
        : file_("/proc/net/pktgen/" + device)
    {
        command(thread, "rem_device_all");
        command(thread, "add_device " + device);
        command(file_, "count " + std::to_string(members));
        command(file_, "clone_skb 0");
        command(file_, "burst 1");
        command(file_, "delay 0");
        command(file_, "pkt_size " + std::to_string(bytes + headers));
        command(file_, "dst_min " + dotted(first));
        command(file_, "dst_max " + dotted(first + static_cast<uint32_t>(members) - 1));
        command(file_, "udp_dst_min 9");
        command(file_, "udp_dst_max 9");
    }
    ~Pktgen() { std::ofstream(thread) << "rem_device_all\n" << std::flush; }
    Pktgen(const Pktgen &) = delete;
    Pktgen &operator=(const Pktgen &) = delete;

    // Nanoseconds for all of them, without what it slept in between.
    double run()
    {
        command("/proc/net/pktgen/pgctrl", "start");
        // "Result: OK: 13201(c13190+d11) usec, 65536 (142byte,0frags)"
        std::ifstream in(file_);
        std::stringstream text;
        text << in.rdbuf();
        size_t at = text.str().find("Result: OK: ");
        size_t busy = at == std::string::npos ? at : text.str().find("(c", at);
        if (busy == std::string::npos)
            throw std::runtime_error("pktgen has no result: " + text.str());
        return std::stod(text.str().substr(busy + 2)) * 1000;
    }

private:
    static constexpr size_t headers = 14 + 20 + 8;
    static inline const std::string thread = "/proc/net/pktgen/kpktgend_0";

    static void command(const std::string &file, const std::string &text)
    {
        std::ofstream out(file);
        out << text + "\n" << std::flush; // pgctrl wants the line whole
        if (!out)
            throw std::runtime_error("pktgen refuses \"" + text + "\" in " + file);
    }
    static std::string dotted(uint32_t a)
    {
        return std::to_string(a >> 24) + "." + std::to_string(a >> 16 & 255) + "." +
               std::to_string(a >> 8 & 255) + "." + std::to_string(a & 255);
    }

    std::string file_;
};
