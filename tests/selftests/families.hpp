// SPDX-License-Identifier: GPL-2.0-only
// Members of either family, so that what is shown for one is shown for both.
#pragma once

#include "messages.hpp"

namespace selftest {

using Address = udp_group_addr;

// The family is what the text is of.
inline Address either(const std::string &ip, uint16_t port, uint32_t scope = 0)
{
    Address a{};
    if (inet_pton(AF_INET, ip.c_str(), &a.in.sin_addr) == 1) {
        a.in.sin_family = AF_INET;
        a.in.sin_port = htons(port);
        return a;
    }
    a = {};
    a.in6.sin6_family = AF_INET6;
    a.in6.sin6_port = htons(port);
    a.in6.sin6_scope_id = scope;
    if (inet_pton(AF_INET6, ip.c_str(), &a.in6.sin6_addr) != 1)
        throw std::invalid_argument(ip);
    return a;
}

// As the options take them, one behind the other.
inline std::string packed(std::span<const Address> addrs)
{
    std::string bytes;
    for (const auto &a : addrs)
        bytes.append(reinterpret_cast<const char *>(&a), address_length(a));
    return bytes;
}

inline long change(const Sender &s, int option, std::span<const Address> addrs)
{
    const auto bytes = packed(addrs);
    return s.change(option, bytes.data(), bytes.size());
}

inline Control skipping(Control control, std::span<const Address> addrs)
{
    const auto bytes = packed(addrs);
    return control.add_raw(SOL_UDP, UDP_GRP_SKIP, bytes.data(), bytes.size());
}

// A receiver of either family. One at a mapped address is an AF_INET6 socket that
// receives by IPv4.
class Peer : public ReceiverAt<Address> {
public:
    explicit Peer(const Address &at) : ReceiverAt(at)
    {
        int large = 4 << 20;
        if (setsockopt(fd(), SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large)) < 0)
            throw std::runtime_error(std::string("peer: ") + strerror(errno));
    }
};

// Whom a group is of: sockets of this family have members at these, in turns.
struct Mix {
    const char *name;
    int domain;
    std::vector<std::string> hosts;
    std::vector<Peer> peers(size_t n) const
    {
        std::vector<Peer> ps;
        while (ps.size() < n)
            ps.emplace_back(either(hosts[ps.size() % hosts.size()], 0));
        return ps;
    }
    // What it has of these, as many of each family as it has of that.
    std::vector<std::string> hosts_of(const std::vector<std::string> &ip6,
                                      const std::vector<std::string> &ip4) const
    {
        std::vector<std::string> all;
        if (domain == AF_INET6)
            all = ip6;
        if (hosts.size() > 1 || domain == AF_INET)
            all.insert(all.end(), ip4.begin(), ip4.end());
        return all;
    }
    std::vector<Address> members(const std::vector<std::string> &ip6,
                                 const std::vector<std::string> &ip4) const
    {
        std::vector<Address> addrs;
        for (const auto &host : hosts_of(ip6, ip4))
            addrs.push_back(either(host, 9));
        return addrs;
    }
};

inline std::ostream &operator<<(std::ostream &out, const Mix &mix) { return out << mix.name; }

inline std::vector<Mix> mixes()
{
    return {{"V4", AF_INET, {"127.0.0.1"}},
            {"V6", AF_INET6, {"::1"}},
            {"Mixed", AF_INET6, {"::1", "127.0.0.1", "::1", "::ffff:127.0.0.1"}}};
}

// What is shown for IPv4 elsewhere.
inline std::vector<Mix> mixes6()
{
    auto all = mixes();
    all.erase(all.begin());
    return all;
}

inline std::string name_of(const testing::TestParamInfo<Mix> &mix) { return mix.param.name; }

inline std::vector<Address> addresses(std::span<const Peer> peers)
{
    std::vector<Address> addrs;
    for (const auto &p : peers)
        addrs.push_back(p.address());
    return addrs;
}

inline void expect_each(std::span<const Peer> peers, const std::string &data)
{
    for (size_t i = 0; i < peers.size(); i++)
        ASSERT_TRUE(peers[i].next() == data) << "peer " << i;
}

inline void expect_none(std::span<const Peer> peers)
{
    for (size_t i = 0; i < peers.size(); i++)
        EXPECT_TRUE(peers[i].empty()) << "peer " << i;
}

// A namespace with both families around each test.
class InBoth : public InNamespace {
protected:
    InBoth() { enable_ip6(); }
};

} // namespace selftest
