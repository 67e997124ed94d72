// SPDX-License-Identifier: GPL-2.0-only
// What those need to know who make frames themselves.
#pragma once

#include "way.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <array>
#include <cstdio>
#include <cstring>

namespace ways {

using Mac = std::array<uint8_t, 6>;

// Where all frames go: nobody has it, so whoever gets one throws it away.
constexpr Mac sink_mac{0x02, 0, 0, 0, 0, 0x01};

inline std::string to_string(const Mac &mac)
{
    char text[18];
    snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
    return text;
}

// A network device, and the addresses that it sends from.
struct Link {
    std::string device;
    Mac mac{};
    in_addr address{};

    explicit Link(std::string name) : device(std::move(name))
    {
        ifreq request{};
        request.ifr_addr.sa_family = AF_INET;
        if (device.size() >= sizeof(request.ifr_name))
            throw std::invalid_argument("no device " + device);
        memcpy(request.ifr_name, device.c_str(), device.size() + 1);
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        check(fd >= 0, "socket");
        bool ok = !ioctl(fd, SIOCGIFADDR, &request);
        memcpy(&address, &reinterpret_cast<sockaddr_in *>(&request.ifr_addr)->sin_addr,
               sizeof(address));
        ok = ok && !ioctl(fd, SIOCGIFHWADDR, &request);
        memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
        close(fd);
        check(ok, device.c_str());
    }
};

} // namespace ways
