// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// As much of rtnetlink(7) as it takes to make a device with a route.
#pragma once

#include <cstdint>
#include <string>

namespace capacity {

class rtnetlink {
public:
    rtnetlink();
    ~rtnetlink();
    rtnetlink(const rtnetlink &) = delete;
    rtnetlink &operator=(const rtnetlink &) = delete;

    // Addresses are in host order. All throw std::system_error.
    void add_dummy(const std::string &name); // and sets it up
    void add_address(const std::string &device, uint32_t address, uint8_t prefix);
    void add_route(uint32_t network, uint8_t prefix, uint32_t gateway);

private:
    class request;
    void ask(request &message, const char *what);

    int fd_;
};

} // namespace capacity
