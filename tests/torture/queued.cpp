// SPDX-License-Identifier: GPL-2.0-only
#include "queued.hpp"

#include "../netdev.hpp"

namespace torture {
namespace {

struct Queue {
    const char *kind;
    std::string options;
};

template <typename T> std::string bytes_of(const T &value)
{
    return {reinterpret_cast<const char *>(&value), sizeof(value)};
}

// One that is slow: what waits there is charged to its socket.
std::string slow()
{
    tc_tbf_qopt parms{};
    parms.rate.linklayer = TC_LINKLAYER_ETHERNET;
    parms.rate.rate = 500000;
    parms.limit = 100000;
    netlink::Request options(0, 0, tcmsg{});
    options.attribute(TCA_TBF_PARMS, bytes_of(parms));
    options.attribute(TCA_TBF_BURST, 2000);
    return options.inside(sizeof(tcmsg));
}

// One after the other: of the kind without a lock, that drops much, with flows, with
// a timer.
const std::vector<Queue> &queues()
{
    static const std::vector<Queue> all = {{"pfifo_fast", ""},
                                           {"pfifo", bytes_of(tc_fifo_qopt{.limit = 16})},
                                           {"fq_codel", ""},
                                           {"tbf", slow()},
                                           {"fq", ""}};
    return all;
}

} // namespace

QueuedDevice::QueuedDevice(int n, int ns)
    : n_(n), ns_(ns), name_("q" + std::to_string(n)), net4_("10.2" + std::to_string(n) + "."),
      net6_("fd2" + std::to_string(n))
{}

// The first is a dummy, others are veths.
long QueuedDevice::make(const Rtnl &rtnl)
{
    const auto peer = name_ + "far";
    long err = n_ ? rtnl.add_veth(name_, peer, ns_) : rtnl.add_dummy(name_);
    if (n_)
        err = first_error({err, rtnl.set_up(peer)});
    err = first_error({err, next_queue(rtnl), rtnl.set_up(name_),
                       rtnl.address(true, name_, behind4(254), 16),
                       rtnl.address(true, name_, behind6(254), 64)});
    for (unsigned i = 1; n_ && i <= neighbours; i++)
        err = first_error({err, rtnl.neighbour(true, name_, behind4(i)),
                           rtnl.neighbour(true, name_, behind6(i))});
    return err;
}

long QueuedDevice::next_queue(const Rtnl &rtnl)
{
    const auto &q = queues()[queues_++ % queues().size()];
    return rtnl.queue(name_, q.kind, q.options);
}

bool QueuedDevice::has_sent() const
{
    constexpr uint64_t own_packets = 20;
    return netdev::tx_packets(name_).value_or(0) > own_packets;
}

} // namespace torture
