// SPDX-License-Identifier: GPL-2.0-only
// Changes of the group, and reading it.

#include "operation.hpp"

namespace torture {
namespace {

using Errnos = std::set<int>;

// The socket can be connected or corked, if it is one that this is done to. With
// the module gone in between an option is unknown.
Errnos refused(const Act &a, Errnos errnos)
{
    errnos.insert({ENOPROTOOPT, EBUSY});
    if (!a.victim->is_counted())
        errnos.insert(EISCONN);
    return errnos;
}

void set(Act &a) { a.census.count("set", change(a.fd(), SO_SETGRP, a.some()), refused(a, {})); }

void dissolve(Act &a) { a.census.count("dissolve", change(a.fd(), SO_SETGRP, ""), refused(a, {})); }

void add(Act &a)
{
    a.census.count("add", change(a.fd(), SO_ADDGRP, a.some()), refused(a, {EADDRINUSE}));
}

void add_one(Act &a)
{
    a.census.count("add one", change(a.fd(), SO_ADDGRP, a.one()), refused(a, {EADDRINUSE}));
}

void del(Act &a)
{
    a.census.count("delete", change(a.fd(), SO_DELGRP, a.some()), refused(a, {EADDRNOTAVAIL}));
}

void del_one(Act &a)
{
    a.census.count("delete one", change(a.fd(), SO_DELGRP, a.one()), refused(a, {EADDRNOTAVAIL}));
}

// What is wrong with the value is told first.
void wrong(Act &a)
{
    auto one = a.one();
    int option = a.pick(2) ? SO_SETGRP : SO_ADDGRP;
    switch (a.pick(4)) {
    case 0:
        a.census.count("cut short", change(a.fd(), option, one.substr(0, one.size() - 1)),
                       {EINVAL, ENOPROTOOPT});
        break;
    case 1:
        a.census.count("twice", change(a.fd(), SO_SETGRP, one + one), {EADDRINUSE, ENOPROTOOPT});
        break;
    case 2:
        a.census.count(
            "unreadable",
            result(setsockopt(a.fd(), SOL_SOCKET, option, nullptr, sizeof(sockaddr_in6))),
            {EFAULT, ENOPROTOOPT});
        break;
    default:
        one[0] = AF_UNIX;
        a.census.count("other family", change(a.fd(), option, one), {EAFNOSUPPORT, ENOPROTOOPT});
    }
}

void get(Act &a)
{
    std::string bytes(a.pick(8) ? 10000 : 20, '\0');
    auto len = static_cast<socklen_t>(bytes.size());
    a.census.count("get", result(getsockopt(a.fd(), SOL_SOCKET, SO_SETGRP, bytes.data(), &len)),
                   {ERANGE, ENOPROTOOPT});
}

void stat(Act &a)
{
    alignas(8) char bytes[sizeof(udp_grpstat) + 20 * sizeof(udp_grpstat_member)] = {};
    udp_grpstat s{};
    s.size = sizeof(s);
    s.member_size = sizeof(udp_grpstat_member);
    s.first_slot = a.pick(4) ? 0 : a.pick(60);
    memcpy(bytes, &s, sizeof(s));
    socklen_t len = sizeof(bytes);
    long err = result(getsockopt(a.fd(), SOL_SOCKET, SO_GRPSTAT, bytes, &len));
    a.census.count("stat", err, {ENOPROTOOPT});
    memcpy(&s, bytes, sizeof(s));
    if (err == 0 && (s.members > s.slots || s.records > s.members))
        a.census.violation("more members than slots, or records than members");
}

void flags(Act &a)
{
    uint32_t flags = a.victim->is_counted() || a.pick(2) ? GRP_F_COUNT : 0;
    socklen_t len = sizeof(flags);
    a.census.count("set flags", result(setsockopt(a.fd(), SOL_SOCKET, SO_GRPFLAGS, &flags, len)),
                   {ENOPROTOOPT});
    a.census.count("get flags", result(getsockopt(a.fd(), SOL_SOCKET, SO_GRPFLAGS, &flags, &len)),
                   {ENOPROTOOPT});
}

} // namespace

std::vector<Operation> changes()
{
    return {{6, set},     {1, dissolve}, {4, add}, {8, add_one}, {3, del},
            {8, del_one}, {2, wrong},    {3, get}, {5, stat},    {2, flags}};
}

} // namespace torture
