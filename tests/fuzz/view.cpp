// SPDX-License-Identifier: GPL-2.0-only
#include "view.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace fuzz {

namespace {

void require(int ret, const char *what)
{
    if (ret < 0)
        throw std::runtime_error(std::string("cannot read ") + what + ": " + strerror(errno));
}

std::string differs(const char *what, uint64_t before, uint64_t after)
{
    return std::string(what) + " was " + std::to_string(before) + " and is " +
           std::to_string(after);
}

struct Counter {
    const char *name;
    __u64 udp_grpstat::*value;
};

// ICMP errors come when they come: they are not among these.
constexpr Counter counters[] = {
    {"sends", &udp_grpstat::sends},   {"sent", &udp_grpstat::sent},
    {"failed", &udp_grpstat::failed}, {"skipped", &udp_grpstat::skipped},
    {"holes", &udp_grpstat::holes},   {"unreached", &udp_grpstat::unreached}};

} // namespace

View look_at(int fd)
{
    View view;
    view.members.resize(4096);
    socklen_t len = 4096;
    while (getsockopt(fd, SOL_SOCKET, SO_SETGRP, view.members.data(), &len) < 0) {
        if (errno != ERANGE)
            require(-1, "the members");
        view.members.resize(len);
    }
    view.members.resize(len);

    view.totals.size = len = sizeof(view.totals);
    require(getsockopt(fd, SOL_SOCKET, SO_GRPSTAT, &view.totals, &len), "the totals");
    len = sizeof(view.flags);
    require(getsockopt(fd, SOL_SOCKET, SO_GRPFLAGS, &view.flags, &len), "the flags");
    return view;
}

std::string compare_members(const View &before, const View &after)
{
    if (before.totals.generation != after.totals.generation)
        return differs("the generation", before.totals.generation, after.totals.generation);
    if (before.totals.members != after.totals.members)
        return differs("the number of members", before.totals.members, after.totals.members);
    if (before.totals.slots != after.totals.slots)
        return differs("the number of slots", before.totals.slots, after.totals.slots);
    return before.members != after.members ? "the members are others" : "";
}

std::string compare_totals(const View &before, const View &after)
{
    for (const auto &c : counters)
        if (before.totals.*c.value != after.totals.*c.value)
            return differs(c.name, before.totals.*c.value, after.totals.*c.value);
    return "";
}

std::string check_totals(const View &before, const View &after)
{
    for (const auto &c : counters)
        if (before.totals.*c.value > after.totals.*c.value)
            return differs(c.name, before.totals.*c.value, after.totals.*c.value);
    const uint64_t passed = after.totals.sent + after.totals.failed + after.totals.skipped +
                            after.totals.holes + after.totals.unreached;
    const uint64_t before_passed = before.totals.sent + before.totals.failed +
                                   before.totals.skipped + before.totals.holes +
                                   before.totals.unreached;
    if (passed != before_passed && before.totals.sends == after.totals.sends)
        return "datagrams are counted, and no send";
    return "";
}

} // namespace fuzz
