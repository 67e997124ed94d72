// SPDX-License-Identifier: GPL-2.0-only
// A device whose datagrams pass a queue, where those of a group arrive in batches:
// while a batch is on its way the device goes, or its queue becomes another.
#pragma once

#include "rtnl.hpp"

namespace torture {

class QueuedDevice {
public:
    // The n-th of a namespace: 10.2n/16 and fd2n::/64 are routed to qn.
    QueuedDevice(int n, int ns);
    // All of these: 0, or the first -errno.
    long make(const Rtnl &rtnl);
    long remove(const Rtnl &rtnl) const { return rtnl.del_link(name_); }
    // Packets can wait in the one before, which are lost.
    long next_queue(const Rtnl &rtnl);
    // More has left by it than what the kernel says on every new device.
    bool has_sent() const;
    // An address behind it, of a neighbour who is known.
    std::string behind4(unsigned i) const { return net4_ + "0." + std::to_string(i); }
    std::string behind6(unsigned i) const { return net6_ + "::" + std::to_string(i); }
    static constexpr unsigned neighbours = 6;

private:
    int n_, ns_;
    std::string name_, net4_, net6_;
    size_t queues_ = 0;
};

} // namespace torture
