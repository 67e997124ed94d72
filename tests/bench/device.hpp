// SPDX-License-Identifier: GPL-2.0-only
// What a network device says of itself: packets, interrupts, its queue's limit.
#pragma once

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "ways/way.hpp"

#include <fcntl.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

class Device {
public:
    explicit Device(std::string name) : name_(std::move(name)), path_("/sys/class/net/" + name_)
    {
        packets_ = open((path_ + "/statistics/tx_packets").c_str(), O_RDONLY | O_CLOEXEC);
        if (packets_ < 0)
            throw std::runtime_error("no device " + name_);
        std::error_code none;
        interrupt_ = name_;
        auto driver = std::filesystem::read_symlink(path_ + "/device/driver", none).filename();
        // virtio names its interrupts after itself
        if (driver == "virtio_net")
            interrupt_ = std::filesystem::read_symlink(path_ + "/device").filename().string() + "-";
        if (driver == "e1000")
            hardware_ = hardware_counter("tx_packets");
    }
    Device(const Device &) = delete;
    Device &operator=(const Device &) = delete;
    ~Device() { close(packets_); }

    const std::string &name() const { return name_; }

    // As the driver counts, which for some is when the device is done with it.
    uint64_t tx_packets() const
    {
        char text[32]{};
        ways::check(pread(packets_, text, sizeof(text) - 1, 0) > 0, "tx_packets");
        return strtoull(text, nullptr, 10);
    }
    // As the hardware counts, where there is such a counter.
    std::optional<uint64_t> hardware_packets() const
    {
        if (!hardware_)
            return {};
        return counters().at(*hardware_);
    }
    uint64_t interrupts() const
    {
        std::ifstream in("/proc/interrupts");
        uint64_t sum = 0;
        for (std::string line; std::getline(in, line);) {
            if (line.find(interrupt_) == std::string::npos)
                continue;
            std::istringstream fields(line.substr(line.find(':') + 1));
            for (uint64_t n = 0; fields >> n;)
                sum += n;
        }
        return sum;
    }
    // How many bytes byte queue limits let be under way; none if there are none.
    std::optional<uint64_t> queue_limit() const
    {
        std::ifstream in(path_ + "/queues/tx-0/byte_queue_limits/limit");
        uint64_t n = 0;
        if (!(in >> n))
            return {};
        return n;
    }

private:
    // One request of SIOCETHTOOL. The structure has its array behind it.
    void ethtool(void *request) const
    {
        ifreq ifr{};
        memcpy(ifr.ifr_name, name_.c_str(), std::min(name_.size() + 1, sizeof(ifr.ifr_name)));
        ifr.ifr_data = static_cast<char *>(request);
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        bool ok = fd >= 0 && !ioctl(fd, SIOCETHTOOL, &ifr);
        close(fd);
        ways::check(ok, "SIOCETHTOOL");
    }
    uint32_t how_many() const
    {
        ethtool_drvinfo info{};
        info.cmd = ETHTOOL_GDRVINFO;
        ethtool(&info);
        return info.n_stats;
    }
    std::optional<size_t> hardware_counter(std::string_view wanted) const
    {
        const uint32_t n = how_many();
        std::vector<char> room(sizeof(ethtool_gstrings) + size_t{n} * ETH_GSTRING_LEN);
        const ethtool_gstrings head{.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS, .len = n};
        memcpy(room.data(), &head, sizeof(head));
        ethtool(room.data());
        for (size_t i = 0; i < n; i++)
            if (wanted == &room[sizeof(head) + i * ETH_GSTRING_LEN])
                return i;
        return {};
    }
    std::vector<uint64_t> counters() const
    {
        const uint32_t n = how_many();
        std::vector<uint64_t> room(sizeof(ethtool_stats) / sizeof(uint64_t) + n);
        const ethtool_stats head{.cmd = ETHTOOL_GSTATS, .n_stats = n};
        memcpy(room.data(), &head, sizeof(head));
        ethtool(room.data());
        room.erase(room.begin(), room.begin() + sizeof(ethtool_stats) / sizeof(uint64_t));
        return room;
    }

    std::string name_, path_, interrupt_;
    int packets_ = -1;
    std::optional<size_t> hardware_;
};
