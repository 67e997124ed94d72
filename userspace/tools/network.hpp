// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// Where the datagrams of a measurement go: a device and addresses behind it.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <vector>

namespace capacity {

class network {
public:
    // A network namespace for this process, with a dummy device: nothing leaves
    // it. All members are behind one gateway, as they are behind a router.
    static network private_one();
    // A device and a network of the user's, "10.1.0.0/16".
    static network of(std::string device, const std::string &addresses);

    const std::string &device() const { return device_; }
    bool is_private() const { return private_; }
    uint32_t size() const { return size_; }
    // The first n addresses, without this machine's own; throws if there are
    // fewer.
    std::vector<sockaddr_in> members(size_t n, uint16_t port) const;
    // What the device has sent.
    uint64_t transmitted() const;

private:
    network(std::string device, uint32_t first, uint32_t size, bool is_private);

    std::string device_;
    uint32_t first_, size_; // size_ does not count own_
    std::vector<uint32_t> own_;
    bool private_;
};

} // namespace capacity
