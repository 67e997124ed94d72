// SPDX-License-Identifier: GPL-2.0-only
#include "world.hpp"

namespace torture {

// d0 is remade again and again, and so are those with a queue; slow lets few datagrams leave, lo
// holds those that are spread over time, near has a peer with receivers.
World::World(Census &census) : census_(census)
{
    peer_.enter();
    with_ip6();
    run("ip link add near type veth peer name far && ip addr add 10.1.0.2/24 dev far && "
        "ip -6 addr add fd01::2/64 dev far nodad && ip link set far up && "
        "ip link set near netns /proc/" +
        std::to_string(getpid()) + "/fd/" + std::to_string(ns_.fd()));
    for (int i = 0; i < 3; i++) {
        receivers_.emplace_back("10.1.0.2");
        receivers_.emplace_back("fd01::2");
    }
    ns_.enter();
    with_ip6();
    run("tc qdisc add dev lo root fq; ip addr add 10.1.0.1/24 dev near; "
        "ip -6 addr add fd01::1/64 dev near nodad; ip link set near up; "
        "ip link add slow type dummy; ip link set slow up; ip addr add 10.9.0.1/16 dev slow; "
        "tc qdisc add dev slow root tbf rate 4mbit burst 2000 limit 1000000");
    Rtnl rtnl;
    if (first_error({device(rtnl, true), on_device(rtnl)}))
        throw std::runtime_error("the device of the world");
    for (int n = 0; n < 2; n++)
        if (queued_.emplace_back(n, ns_.fd()).make(rtnl))
            throw std::runtime_error("a device with a queue");
    for (int i = 0; i < 4; i++) {
        receivers_.emplace_back("127.0.0.1");
        receivers_.emplace_back("::1");
    }
    std::vector<std::string> all;
    for (const auto &r : receivers_)
        all.push_back(r.address());
    for (uint16_t i = 1; i <= 6; i++) {
        auto n = std::to_string(i);
        for (const auto &ip : {"10.8.0." + n, "fd08::" + n, "10.10.0." + n, "fd0a::" + n,
                               "10.9.0." + n, "10.77.0." + n, "10.11.0." + n})
            all.push_back(packed(ip, 9));
        for (const auto &q : queued_) {
            all.push_back(packed(q.behind4(i), 9));
            all.push_back(packed(q.behind6(i), 9));
        }
        // nobody is there: ICMP errors
        all.push_back(packed("127.0.0.1", i));
        all.push_back(packed("::1", i));
    }
    all.push_back(packed("10.8.255.255", 9)); // without SO_BROADCAST
    for (const auto &addr : all) {
        universe_[1].push_back(addr);
        if (addr.size() == sizeof(sockaddr_in))
            universe_[0].push_back(addr);
    }
    receiver_ = std::thread([this] { receive(done_); });
}

World::~World()
{
    done_ = true;
    receiver_.join();
    // what waits for a device holds its socket
    run("ip link del slow; ip link del q0; ip link del q1; tc qdisc del dev lo root");
}

std::vector<std::string> World::pick(Random &random, int family) const
{
    auto some = universe_[family == AF_INET6];
    std::shuffle(some.begin(), some.end(), random);
    some.resize(1 + random() % (random() % 2 ? some.size() : 4));
    // now and then more than a batch, in more than a leaf
    if (random() % 16 == 0) {
        const std::string to = random() % 2 ? "10.8.3." : "10.20.3.";
        for (uint16_t i = 0; i < 150; i++)
            some.push_back(packed(to + std::to_string(i), 9));
    }
    return some;
}

std::string World::one(Random &random, int family) const
{
    for (;;) {
        const auto &addr = universe_[1][random() % universe_[1].size()];
        if (as_sockaddr(addr)->sa_family == family)
            return addr;
    }
}

long World::device(const Rtnl &rtnl, bool there) const
{
    if (!there)
        return rtnl.del_link("d0");
    return first_error({rtnl.add_dummy("d0"), rtnl.set_up("d0")});
}

long World::on_device(const Rtnl &rtnl) const
{
    return first_error({addresses(rtnl, true), routes(rtnl, true), neighbours(rtnl, true)});
}

long World::addresses(const Rtnl &rtnl, bool there) const
{
    return first_error(
        {rtnl.address(there, "d0", "10.8.0.254", 16), rtnl.address(there, "d0", "fd08::fe", 64)});
}

long World::routes(const Rtnl &rtnl, bool there) const
{
    return first_error(
        {rtnl.route(there, "d0", "10.10.0.0", 16), rtnl.route(there, "d0", "fd0a::", 64)});
}

long World::neighbours(const Rtnl &rtnl, bool there) const
{
    long err = 0;
    for (const char *ip : {"10.8.0.1", "10.8.0.2", "10.10.0.1", "fd08::1", "fd0a::1"})
        err = first_error({err, rtnl.neighbour(there, "d0", ip)});
    return err;
}

void World::receive(const std::atomic<bool> &done)
{
    std::vector<pollfd> fds;
    for (const auto &r : receivers_)
        fds.push_back({r.fd(), POLLIN, 0});
    while (!done) {
        poll(fds.data(), fds.size(), 100);
        for (const auto &r : receivers_)
            while (auto data = r.next())
                check(r, *data);
    }
}

// The shared bytes are all 's', and a mark where MSG_MORE went on with what a corked
// socket held back; a private part is nobody else's. What MSG_MORE began any send on
// the socket goes on with, whatever it was for: as without groups.
void World::check(const Endpoint &who, const std::string &data)
{
    if (data.starts_with(begun_mark))
        return;
    const char anybodys[] = {'s', begun_mark, '\0'};
    auto shared = data.find_first_not_of(anybodys);
    if (data.compare(0, private_mark.size(), private_mark) == 0) {
        if (data.compare(private_mark.size(), who.address().size(), who.address()) != 0)
            census_.violation("somebody got another's private part");
        shared = data.find_first_not_of(anybodys, private_length);
    }
    if (shared != std::string::npos)
        census_.violation("somebody got a byte that nobody sent: " + std::to_string(data[shared]) +
                          ", at " + std::to_string(shared) + " of " + std::to_string(data.size()));
}

} // namespace torture
