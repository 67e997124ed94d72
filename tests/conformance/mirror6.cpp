// SPDX-License-Identifier: GPL-2.0-only
#include "mirror6.hpp"

namespace conformance {

namespace {

std::unique_ptr<Mirror> shared;

// Listener discovery tells of new addresses once more in its own time.
void await_silence(const World &w)
{
    constexpr int silence = 10, patience = 300; // of 100 ms
    In in(*w.sender);
    auto before = counters();
    for (int waited = 0, same = 0; same < silence; waited++) {
        if (waited == patience)
            throw std::runtime_error("IPv6 keeps talking");
        usleep(100000);
        auto now = counters();
        same = now == before ? same + 1 : 0;
        before = std::move(now);
    }
}

std::unique_ptr<Mirror> with_ip6()
{
    auto m = std::make_unique<Mirror>();
    m->await_up("near");
    m->await_up("near2");
    for (const char *device : {"lo", "near", "near2"}) {
        const std::string conf = std::string("net/ipv6/conf/") + device + "/";
        m->sysctl(conf + "mldv2_unsolicited_report_interval", "1");
        m->sysctl(conf + "router_solicitations", "0");
        m->sysctl(conf + "accept_ra", "0");
        m->sysctl(conf + "accept_dad", "0");
        m->sysctl(conf + "addr_gen_mode", "1");
        m->sysctl(conf + "disable_ipv6", "0");
    }
    std::string lines = "addr add fd01::1/64 dev near nodad\n"
                        "addr add fd01::5/64 dev near nodad\n"
                        "addr add fd02::1/64 dev near2 nodad\n";
    for (const auto &[device, prefix] : {std::pair("near", "fd01::"), {"near2", "fd02::"}}) {
        lines += std::string("addr add fe80::1/64 dev ") + device + " nodad\n";
        for (const char *net : {prefix, "fe80::"})
            lines += neighbour_entries(net, device, first_neighbour, neighbours) +
                     neighbour_entries(net, device, 253, 2);
    }
    m->ip(lines);
    m->listen(9000);
    m->each(await_silence);
    return m;
}

} // namespace

Mirror &Mirrored6::mirror()
{
    if (!shared)
        shared = with_ip6();
    return *shared;
}

void Mirrored6::TearDown()
{
    if (HasFailure())
        shared.reset();
}

Addresses members6(const std::string &prefix, size_t n, unsigned first, uint32_t scope)
{
    Addresses addrs;
    for (unsigned i = 0; i < n; i++)
        addrs.push_back(
            address6(prefix + std::to_string(first + i), static_cast<uint16_t>(9000 + i), scope));
    return addrs;
}

Addresses mixed_members(size_t n)
{
    const auto six = members6("fd01::", n), four = Addresses(members("10.1.0.", n));
    Addresses addrs;
    for (size_t i = 0; i < n; i++)
        addrs.push_back(i % 3 == 0   ? six[i]
                        : i % 3 == 1 ? four[i]
                                     : Address(mapped(four[i].text(), four[i].port())));
    return addrs;
}

size_t longest(const Address &to) { return to.is_ip6() ? 65535 - 8 : 65535 - 8 - 20; }

size_t pieces(const Address &to, size_t size, size_t mtu)
{
    const size_t header = to.is_ip6() ? 40 : 20, fragment = to.is_ip6() ? 8 : 0;
    if (header + 8 + size <= mtu)
        return 1;
    const size_t piece = (mtu - header - fragment) / 8 * 8;
    return (8 + size + piece - 1) / piece;
}

Outcome as_it_fits(const Addresses &members, size_t size, const std::string &device, size_t mtu)
{
    Outcome o;
    for (size_t i = 0; i < members.size(); i++) {
        if (size > longest(members[i])) {
            o.errors[i] = EMSGSIZE;
            continue;
        }
        const size_t n = pieces(members[i], size, mtu);
        o.fast += n == 1;
        o.frames[device] += n;
    }
    return o;
}

} // namespace conformance
