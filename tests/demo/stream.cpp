// SPDX-License-Identifier: GPL-2.0-only
// Streams a file to receivers in other network namespaces, one datagram to all
// of them at a time, in each of the ways of sending:
//
//   stream FILE RECEIVERS NAMESPACE=ADDRESS...
//
// RECEIVERS is how many there are in each namespace. They check the sequence
// of datagrams and take the SHA-256 of what they got. They acknowledge, and the
// sender keeps at most a window ahead of the slowest, so nothing overruns: a
// datagram that is lost stops the stream, and that is an error.

#include "../bench/ways.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <utility>

namespace {

constexpr size_t payload = 1400; // bytes of the file in a datagram
constexpr uint32_t window = 64;  // datagrams ahead of the slowest receiver
constexpr uint32_t ack_every = 16;
constexpr uint16_t first_port = 5000;
constexpr int patience = 30000; // milliseconds without progress

using Digest = std::string;

class Sha256 {
public:
    Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
    Sha256(const Sha256 &) = delete;
    Sha256 &operator=(const Sha256 &) = delete;
    ~Sha256() { EVP_MD_CTX_free(context_); }
    void add(std::span<const char> data) { EVP_DigestUpdate(context_, data.data(), data.size()); }
    Digest hex()
    {
        unsigned char raw[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        EVP_DigestFinal_ex(context_, raw, &n);
        Digest text;
        for (unsigned i = 0; i < n; i++) {
            char byte[3];
            snprintf(byte, sizeof(byte), "%02x", raw[i]);
            text += byte;
        }
        return text;
    }

private:
    EVP_MD_CTX *context_;
};

struct Ack {
    uint32_t receiver;
    uint32_t next; // the datagram that it waits for
};

struct Site {
    std::string name, ip;
};

sockaddr_in address(const std::string &ip, uint16_t port)
{
    sockaddr_in sin{};
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    ways::check(inet_pton(AF_INET, ip.c_str(), &sin.sin_addr) == 1, ip.c_str());
    return sin;
}

// One namespace's receivers, in a process of their own. Prints a line for each
// to out when the stream is over.
void receive(const Site &site, uint32_t first, uint32_t count, int out)
{
    struct Receiver {
        int fd;
        uint32_t next = 0;
        bool over = false;
        std::unique_ptr<Sha256> sha = std::make_unique<Sha256>();
    };
    int ns = open(("/run/netns/" + site.name).c_str(), O_RDONLY | O_CLOEXEC);
    ways::check(ns >= 0 && !setns(ns, CLONE_NEWNET), site.name.c_str());

    std::vector<Receiver> receivers(count);
    std::vector<pollfd> polls(count);
    for (uint32_t i = 0; i < count; i++) {
        auto sin = address(site.ip, static_cast<uint16_t>(first_port + i));
        receivers[i].fd = socket(AF_INET, SOCK_DGRAM, 0);
        ways::check(!bind(receivers[i].fd, reinterpret_cast<sockaddr *>(&sin), sizeof(sin)),
                    "bind");
        polls[i] = {.fd = receivers[i].fd, .events = POLLIN, .revents = 0};
    }
    ways::check(write(out, "ready\n", 6) == 6, "write");

    for (uint32_t left = count; left > 0;) {
        if (poll(polls.data(), polls.size(), patience) <= 0)
            throw std::runtime_error(site.name + ": the stream stopped");
        for (uint32_t i = 0; i < count; i++) {
            if (!polls[i].revents)
                continue;
            auto &r = receivers[i];
            char buf[2048];
            sockaddr_in from{};
            socklen_t fromlen = sizeof(from);
            ssize_t n =
                recvfrom(r.fd, buf, sizeof(buf), 0, reinterpret_cast<sockaddr *>(&from), &fromlen);
            uint32_t seq = 0;
            if (n < static_cast<ssize_t>(sizeof(seq)))
                throw std::runtime_error(site.name + ": not a datagram of the stream");
            memcpy(&seq, buf, sizeof(seq));
            if (ntohl(seq) != r.next)
                throw std::runtime_error(site.name + ": datagram " + std::to_string(ntohl(seq)) +
                                         " in place of " + std::to_string(r.next));
            r.next++;
            std::span<const char> data(buf + sizeof(seq), static_cast<size_t>(n) - sizeof(seq));
            r.sha->add(data);
            bool last = data.empty();
            if (last || r.next % ack_every == 0) {
                Ack ack{first + i, r.next};
                ways::check(sendto(r.fd, &ack, sizeof(ack), 0, reinterpret_cast<sockaddr *>(&from),
                                   fromlen) == sizeof(ack),
                            "acknowledge");
            }
            if (last && !std::exchange(r.over, true)) {
                std::string line = r.sha->hex() + "\n";
                ways::check(write(out, line.data(), line.size()) ==
                                static_cast<ssize_t>(line.size()),
                            "write");
                left--;
            }
        }
    }
}

uint64_t cpu_time()
{
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

class Window {
public:
    Window(ways::Way &way, size_t receivers) : next_(receivers, 0)
    {
        for (int fd : way.sockets())
            polls_.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    }
    // Waits until everybody has acknowledged all before seq.
    void wait_for(uint32_t seq)
    {
        while (*std::min_element(next_.begin(), next_.end()) < seq) {
            if (poll(polls_.data(), polls_.size(), patience) <= 0)
                throw std::runtime_error("no acknowledgement for datagram " + std::to_string(seq));
            for (const auto &p : polls_) {
                Ack ack{};
                while (p.revents && recv(p.fd, &ack, sizeof(ack), MSG_DONTWAIT) == sizeof(ack))
                    next_.at(ack.receiver) = std::max(next_.at(ack.receiver), ack.next);
            }
        }
    }

private:
    std::vector<uint32_t> next_;
    std::vector<pollfd> polls_;
};

// Sends the file, and returns the sender's processor time in send calls.
uint64_t send_file(ways::Way &way, std::span<const char> file, size_t receivers)
{
    Window ahead(way, receivers);
    uint64_t cost = 0;
    std::vector<char> datagram;
    uint32_t seq = 0;
    auto transmit = [&](std::span<const char> data) {
        uint32_t header = htonl(seq);
        datagram.resize(sizeof(header) + data.size());
        memcpy(datagram.data(), &header, sizeof(header));
        std::copy(data.begin(), data.end(), datagram.begin() + sizeof(header));
        if (seq >= window)
            ahead.wait_for((seq - window + ack_every) / ack_every * ack_every);
        uint64_t start = cpu_time();
        way.send(datagram);
        cost += cpu_time() - start;
        seq++;
    };
    for (size_t at = 0; at < file.size(); at += payload)
        transmit(file.subspan(at, std::min(payload, file.size() - at)));
    transmit({}); // an empty one ends the stream
    ahead.wait_for(seq);
    return cost;
}

// One stream to all; true if every receiver got the file.
bool stream(std::string_view name, std::span<const char> file, const Digest &expected,
            std::span<const Site> sites, uint32_t count)
{
    std::vector<sockaddr_in> members;
    std::vector<std::pair<pid_t, FILE *>> children;
    for (const auto &site : sites) {
        int fds[2];
        ways::check(!pipe(fds), "pipe");
        auto first = static_cast<uint32_t>(members.size());
        pid_t pid = fork();
        ways::check(pid >= 0, "fork");
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(fds[0]);
            try {
                receive(site, first, count, fds[1]);
                _exit(0);
            } catch (const std::exception &e) {
                fprintf(stderr, "stream: %s\n", e.what());
                _exit(1);
            }
        }
        close(fds[1]);
        children.emplace_back(pid, fdopen(fds[0], "r"));
        for (uint32_t i = 0; i < count; i++)
            members.push_back(address(site.ip, static_cast<uint16_t>(first_port + i)));
    }

    char line[128];
    for (auto &[pid, in] : children)
        ways::check(fgets(line, sizeof(line), in) && !strcmp(line, "ready\n"), "receivers");

    auto way = ways::make(name, members, 4 << 20);
    uint64_t cost = send_file(*way, file, members.size());

    size_t equal = 0;
    for (auto &[pid, in] : children) {
        while (fgets(line, sizeof(line), in))
            equal += expected + "\n" == line;
        fclose(in);
        int status = -1;
        waitpid(pid, &status, 0);
    }
    size_t datagrams = file.size() / payload + (file.size() % payload != 0) + 1;
    // the fields: way, receivers, how many have the file, datagrams, ns a member
    printf("%s %zu %zu %zu %.0f\n", std::string(name).c_str(), members.size(), equal, datagrams,
           static_cast<double>(cost) / static_cast<double>(datagrams * members.size()));
    fflush(stdout);
    return equal == members.size();
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc < 4) {
        fprintf(stderr, "usage: stream FILE RECEIVERS NAMESPACE=ADDRESS...\n");
        return 2;
    }
    std::ifstream in(argv[1], std::ios::binary);
    const std::vector<char> file{std::istreambuf_iterator<char>(in), {}};
    if (!in || file.empty())
        throw std::runtime_error(std::string("cannot read ") + argv[1]);
    const auto count = static_cast<uint32_t>(atoi(argv[2]));
    std::vector<Site> sites;
    for (int i = 3; i < argc; i++) {
        std::string spec = argv[i];
        auto eq = spec.find('=');
        sites.push_back({spec.substr(0, eq), spec.substr(eq + 1)});
    }

    Sha256 sha;
    sha.add(file);
    const Digest expected = sha.hex();
    printf("file %zu %s\n", file.size(), expected.c_str());
    fflush(stdout);
    bool ok = true;
    for (auto name : {"group", "connected", "sendmmsg", "group"})
        ok &= stream(name, file, expected, sites, count);
    return ok ? 0 : 1;
} catch (const std::exception &e) {
    fprintf(stderr, "stream: %s\n", e.what());
    return 1;
}
