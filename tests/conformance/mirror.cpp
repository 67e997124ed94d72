// SPDX-License-Identifier: GPL-2.0-only
#include "mirror.hpp"

namespace conformance {

static std::unique_ptr<Mirror> shared;

Mirror &Mirrored::mirror()
{
    if (!shared)
        shared = std::make_unique<Mirror>();
    return *shared;
}

void Mirrored::TearDown()
{
    if (HasFailure())
        shared.reset();
}

int failures()
{
    return testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
}

void feed(const NetNs &ns, const std::string &command, const std::string &input)
{
    In in(ns);
    FILE *pipe = popen(command.c_str(), "w");
    if (!pipe)
        throw std::runtime_error(command);
    fputs(input.c_str(), pipe);
    if (pclose(pipe) != 0)
        throw std::runtime_error(command + " failed on:\n" + input);
}

std::string output_of(const NetNs &ns, const std::string &command)
{
    In in(ns);
    std::string text;
    char buf[4096];
    FILE *pipe = popen(command.c_str(), "r");
    if (!pipe)
        throw std::runtime_error(command);
    while (size_t n = fread(buf, 1, sizeof(buf), pipe))
        text.append(buf, n);
    if (pclose(pipe) != 0)
        throw std::runtime_error(command);
    return text;
}

static std::unique_ptr<NetNs> new_namespace()
{
    auto ns = std::make_unique<NetNs>();
    ns->leave();
    return ns;
}

static std::string mac(unsigned network, unsigned host)
{
    char text[18];
    snprintf(text, sizeof(text), "02:00:00:00:%02x:%02x", network, host);
    return text;
}

std::string neighbour_entries(const std::string &prefix, const std::string &device, unsigned first,
                              unsigned n)
{
    std::string lines;
    for (unsigned i = first; i < first + n; i++)
        lines += "neigh replace " + prefix + std::to_string(i) + " lladdr " + mac(3, i) + " dev " +
                 device + " nud permanent\n";
    return lines;
}

World::World() : sender(new_namespace()), peer(new_namespace())
{
    const std::string there =
        " netns /proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(peer->fd()) + "\n";
    feed(*sender, "ip -batch -",
         "link add near address " + mac(1, 1) + " mtu 1500 type veth peer name far address " +
             mac(1, 2) + " mtu 1500" + there + "link add near2 address " + mac(2, 1) +
             " mtu 9000 type veth peer name far2 address " + mac(2, 2) + " mtu 9000" + there);
    feed(*peer, "ip -batch -", "link set far up\nlink set far2 up\n");
    feed(*sender, "ip -batch -",
         "link set near up\n"
         "link set near2 up\n"
         "addr add 10.1.0.1/24 brd + dev near\n"
         "addr add 10.1.0.5/24 brd + dev near\n"
         "addr add 10.2.0.1/24 brd + dev near2\n" +
             neighbour_entries("10.1.0.", "near", first_neighbour, neighbours) +
             neighbour_entries("10.2.0.", "near2", first_neighbour, neighbours) +
             neighbour_entries("10.1.0.", "near", 253, 2) +
             neighbour_entries("10.2.0.", "near2", 253, 2));
    {
        In in(*peer);
        taps.emplace("far", Tap("far"));
        taps.emplace("far2", Tap("far2"));
    }
    In in(*sender);
    taps.emplace("lo", Tap("lo"));
}

void stay_on(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu % static_cast<unsigned>(sysconf(_SC_NPROCESSORS_ONLN)), &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        throw std::runtime_error("sched_setaffinity");
}

Mirror::Mirror()
{
    stay_on(0);
    // what control messages say by number is the same in both
    each([](World &w) {
        In in(*w.sender);
        if (if_nametoindex("near") != 2 || if_nametoindex("near2") != 3)
            throw std::runtime_error("devices have other numbers");
    });
}

void Mirror::each(const std::function<void(World &)> &what)
{
    what(one);
    what(group);
}

void Mirror::ip(const std::string &lines)
{
    each([&](World &w) { feed(*w.sender, "ip -batch -", lines + "\n"); });
}

void Mirror::tc(const std::string &lines)
{
    each([&](World &w) { feed(*w.sender, "tc -batch -", lines + "\n"); });
}

void Mirror::nft(const std::string &lines)
{
    each([&](World &w) { feed(*w.sender, "nft -f -", lines + "\n"); });
}

void Mirror::peer_ip(const std::string &lines)
{
    each([&](World &w) { feed(*w.peer, "ip -batch -", lines + "\n"); });
}

void Mirror::sysctl(const std::string &name, const std::string &value)
{
    each([&](World &w) {
        In in(*w.sender);
        std::ofstream out("/proc/sys/" + name);
        out << value << std::flush;
        if (!out.good())
            throw std::runtime_error(name);
    });
}

void Mirror::offload(const std::string &device, uint32_t what, bool on)
{
    each([&](World &w) {
        In in(*w.sender);
        set_offload(device, what, on);
    });
}

void Mirror::checksum(const std::string &device, bool on) { offload(device, ETHTOOL_STXCSUM, on); }

void Mirror::scatter_gather(const std::string &device, bool on)
{
    offload(device, ETHTOOL_SSG, on);
}

// Where a carrier comes or goes, the device and its queue follow in their own time.
void Mirror::await(const std::string &device, bool up)
{
    each([&](World &w) {
        if (!eventually([&] {
                auto state = output_of(*w.sender, "ip link show " + device);
                return (state.find("state UP") != std::string::npos) == up;
            }))
            throw std::runtime_error(device + (up ? " stays down" : " stays up"));
    });
}

void Mirror::tap(const std::string &device, bool at_peer)
{
    each([&](World &w) {
        In in(at_peer ? *w.peer : *w.sender);
        w.taps.emplace(device, Tap(device));
    });
}

void Mirror::pair(const std::string &device, const std::string &peer, const std::string &options)
{
    // the same in both worlds
    const std::string address = std::string(" address 02:00:00:00:0c:0") + peer.back();
    each([&](World &w) {
        feed(*w.sender, "ip -batch -",
             "link add " + device + address + " " + options + " type veth peer name " + peer + " " +
                 options + " netns /proc/" + std::to_string(getpid()) + "/fd/" +
                 std::to_string(w.peer->fd()) + "\n");
        feed(*w.peer, "ip -batch -", "link set " + peer + " up\n");
    });
    tap(peer);
}

void Mirror::remove(const std::string &device, const std::string &peer)
{
    each([&](World &w) { w.taps.erase(peer); });
    ip("link del " + device);
}

void Mirror::listen(uint16_t port)
{
    each([&](World &w) {
        In in(*w.sender);
        Fd fd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_in6 any = address6("::", port);
        int room = 64 << 20;
        if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
            bind(fd.get(), reinterpret_cast<sockaddr *>(&any), sizeof(any)) < 0)
            throw std::runtime_error("listen");
        listeners_.push_back(std::move(fd));
    });
}

Rules::Rules(Mirror &mirror, const std::string &family, const std::vector<Chain> &chains)
    : mirror_(mirror)
{
    std::string table = "table " + family + " t {\n";
    int number = 0;
    for (const auto &[hook, rules] : chains)
        table +=
            " chain c" + std::to_string(number++) + " {\n type " + hook + "\n" + rules + "\n }\n";
    mirror_.nft(table + "}\n");
}

Rules::~Rules() { mirror_.nft("flush ruleset"); }

std::vector<sockaddr_in> members(const std::string &prefix, size_t n, unsigned first)
{
    std::vector<sockaddr_in> addrs;
    for (unsigned i = 0; i < n; i++)
        addrs.push_back(
            address(prefix + std::to_string(first + i), static_cast<uint16_t>(9000 + i)));
    return addrs;
}

std::vector<sockaddr_in> operator+(std::vector<sockaddr_in> a, const std::vector<sockaddr_in> &b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

} // namespace conformance
