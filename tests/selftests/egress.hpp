// SPDX-License-Identifier: GPL-2.0-only
// What the tests of policies at a device share: members of either family behind a
// veth pair, whose near end has a queue or has none.
#pragma once

#include "bpf.hpp"
#include "families.hpp"
#include "policy.hpp"

namespace selftest {

// The last member of an AF_INET6 socket's group is reached by IPv4.
struct Behind {
    const char *name;
    int domain;
    std::string qdisc;
    uid_t user;
    bool is_ip6() const { return domain == AF_INET6; }
};

inline std::ostream &operator<<(std::ostream &out, const Behind &b) { return out << b.name; }

class Egress : public AsUser, public testing::WithParamInterface<Behind> {
protected:
    static constexpr size_t n = 7;

    void SetUp() override
    {
        enable_ip6_at_once();
        peer_.emplace();
        enable_ip6_at_once();
        ns.enter();
        // Who is there is known: no datagram waits for that
        std::string near = "link add near address 02:00:00:00:00:01 type veth peer name far "
                           "address 02:00:00:00:00:02 netns /proc/" +
                           std::to_string(getpid()) + "/fd/" + std::to_string(peer_->fd()) +
                           "\nlink set near up\naddr add 10.1.0.1/24 dev near\n"
                           "addr add fd01::1/64 dev near nodad\n",
                    far = "link set far up\naddr add 10.1.0.2/24 dev far\n"
                          "addr add fd01::2/64 dev far nodad\n"
                          "neigh add 10.1.0.1 lladdr 02:00:00:00:00:01 dev far\n"
                          "neigh add fd01::1 lladdr 02:00:00:00:00:01 dev far\n";
        for (size_t i = 0; i <= n; i++)
            for (const auto &ip : {"10.1.0." + last(i), "fd01::" + last(i)}) {
                near += "neigh add " + ip + " lladdr 02:00:00:00:00:02 dev near\n";
                far += "addr add " + ip + (ip[0] == 'f' ? "/128" : "/32") + " dev far" +
                       (ip[0] == 'f' ? " nodad\n" : "\n");
            }
        batch("ip", near);
        run("tc qdisc replace dev near root " + GetParam().qdisc);
        peer_->enter();
        batch("ip", far);
        for (size_t i = 0; i < n; i++)
            rs_.emplace_back(either(host(i), 0));
        elsewhere_.emplace(either(elsewhere(), 0));
        ns.enter();
    }

    static std::string last(size_t member) { return std::to_string(11 + member); }
    std::string host(size_t member) const
    {
        return (has_ip6(member) ? "fd01::" : "10.1.0.") + last(member);
    }
    std::string elsewhere() const { return (GetParam().is_ip6() ? "fd01::" : "10.1.0.") + last(n); }
    bool has_ip6(size_t member) const { return GetParam().is_ip6() && member != n - 1; }
    // As nft calls the family of the members that are not the last.
    std::string family() const { return GetParam().is_ip6() ? "ip6" : "ip"; }
    int header_length() const { return GetParam().is_ip6() ? 40 : 20; }
    std::string is_to(size_t member) const
    {
        return (has_ip6(member) ? "ip6 daddr " : "ip daddr ") + host(member) + " ";
    }
    // The same to each of them alone and then twice to the group; who waits for what
    // is said by arrived.
    template <typename Arrived> void send_each_way(std::string_view bytes, Arrived arrived)
    {
        const auto size = static_cast<long>(bytes.size());
        Sender s(GetParam().domain);
        join_all(s, rs_);
        for (const auto &r : rs_)
            EXPECT_EQ(send_alone(s, r, bytes), size);
        arrived();
        for (unsigned sends = 1; sends <= 2; sends++) {
            EXPECT_EQ(s.send(bytes), size);
            arrived();
            EXPECT_EQ(s.stat().totals.sent, sends * rs_.size());
        }
    }
    // Verdicts of a program that sees packets from an offset on.
    Program on_member(uint32_t type, uint32_t attach_type, int ip_header, size_t member,
                      int verdict, int otherwise) const
    {
        const auto to = either(host(member), 0);
        int32_t word = 0;
        memcpy(&word,
               has_ip6(member) ? to.in6.sin6_addr.s6_addr + 12
                               : reinterpret_cast<const uint8_t *>(&to.in.sin_addr),
               sizeof(word));
        return on_word(type, attach_type, ip_header + (has_ip6(member) ? 36 : 16), word, verdict,
                       otherwise);
    }
    static void batch(const std::string &program, const std::string &lines)
    {
        run(program + " -batch - <<'end'\n" + lines + "end");
    }

    std::optional<NetNs> peer_;
    std::vector<Peer> rs_;
    std::optional<Peer> elsewhere_;

private:
    // Without what enable_ip6() does for loopback's sake: to run programs takes long.
    static void enable_ip6_at_once()
    {
        for (const char *what : {"all", "default"})
            std::ofstream(std::string("/proc/sys/net/ipv6/conf/") + what + "/disable_ipv6") << 0;
    }
    uid_t user() const override { return GetParam().user; }
};

// Each family with a queue and without, and each of these as root or as nobody.
inline std::vector<Behind> behind()
{
    return {{"V4Noqueue", AF_INET, "noqueue", 0},
            {"V4Queue", AF_INET, "pfifo_fast", 65534},
            {"V6Noqueue", AF_INET6, "noqueue", 65534},
            {"V6Queue", AF_INET6, "pfifo_fast", 0}};
}

} // namespace selftest
