// SPDX-License-Identifier: GPL-2.0-only
// The examples, run as they are, with real receivers.

#include "absent.hpp"
#include "support.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <csignal>

namespace library_test {
namespace {

using groupcast::address;
using groupcast::ipv4;
using groupcast::ipv6;

// A program beside this one, whose output is read line by line.
class Program {
public:
    Program(const std::string &name, const std::vector<std::string> &args)
    {
        char self[PATH_MAX];
        const ssize_t len = readlink("/proc/self/exe", self, sizeof(self));
        const std::string path(self, static_cast<size_t>(std::max<ssize_t>(len, 0)));
        std::vector<std::string> words{path.substr(0, path.rfind('/') + 1) + name};
        words.insert(words.end(), args.begin(), args.end());
        std::vector<char *> argv;
        for (auto &word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);

        int ends[2];
        if (len < 0 || pipe(ends) < 0)
            throw std::runtime_error("pipe");
        pid_ = fork();
        if (pid_ == 0) {
            dup2(ends[1], STDOUT_FILENO);
            close(ends[0]);
            close(ends[1]);
            execv(argv[0], argv.data());
            _exit(127);
        }
        close(ends[1]);
        output_ = ends[0];
    }
    Program(const Program &) = delete;
    Program &operator=(const Program &) = delete;
    ~Program()
    {
        close(output_);
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
    }

    // The next line; empty if there is none any more.
    std::string line()
    {
        std::string line;
        char c = 0;
        pollfd readable{.fd = output_, .events = POLLIN, .revents = 0};
        while (poll(&readable, 1, patience) == 1 && read(output_, &c, 1) == 1 && c != '\n')
            line += c;
        return line;
    }

    int stop(int signal)
    {
        kill(pid_, signal);
        return status();
    }
    int status()
    {
        int status = -1;
        waitpid(std::exchange(pid_, -1), &status, 0);
        return status;
    }

private:
    pid_t pid_ = -1;
    int output_ = -1;
};

class Chat : public testing::Test {
protected:
    Chat() : program_("chat", {"0"})
    {
        const std::string line = program_.line();
        EXPECT_EQ(line.substr(0, 5), "port ");
        port_ = static_cast<uint16_t>(std::stoi(line.substr(5)));
    }
    void say(const Receiver &who, std::string_view text) const
    {
        const address server = ipv4("127.0.0.1", port_);
        EXPECT_EQ(sendto(who.fd(), text.data(), text.size(), 0, server.data(), server.size()),
                  static_cast<ssize_t>(text.size()));
    }
    void join(const Receiver &who, std::string_view text)
    {
        say(who, text);
        EXPECT_EQ(program_.line(), "joined " + name(who));
    }
    // As the server sees it: over IPv6
    static std::string name(const Receiver &who)
    {
        return "[::ffff:127.0.0.1]:" + std::to_string(ntohs(who.address().sin_port));
    }

    Program program_;
    uint16_t port_ = 0;
};

TEST_F(Chat, GoesToAllOthers)
{
    Receiver a;
    Receiver b;
    Receiver c;
    join(a, "nobody hears it");
    join(b, "hi from b");
    EXPECT_EQ(a.next(), "hi from b");
    join(c, "hi from c");
    EXPECT_EQ(a.next(), "hi from c");
    EXPECT_EQ(b.next(), "hi from c");
    say(b, "and again");
    EXPECT_EQ(a.next(), "and again");
    EXPECT_EQ(c.next(), "and again");

    // Over IPv6 it is the same
    groupcast::socket six(groupcast::ip::v6);
    six.bind(ipv6("::1", 0));
    const address server = ipv6("::1", port_);
    ASSERT_EQ(sendto(six.fd(), "six", 3, 0, server.data(), server.size()), 3);
    for (const auto *r : {&a, &b, &c})
        EXPECT_EQ(r->next(), "six");
    EXPECT_EQ(program_.line(), "joined " + to_string(six.local_address()));
    say(a, "to six");
    char data[16];
    EXPECT_EQ(recv(six.fd(), data, sizeof(data), 0), 6);
    EXPECT_EQ(b.next(), "to six");
    EXPECT_EQ(c.next(), "to six");

    say(b, "/leave");
    EXPECT_EQ(program_.line(), "left " + name(b));
    say(c, "who is left?");
    EXPECT_EQ(a.next(), "who is left?");
    EXPECT_EQ(program_.stop(SIGTERM), 0);
    for (const auto *r : {&a, &b, &c})
        EXPECT_TRUE(r->empty());
}

TEST_F(Chat, DropsWhoIsNotThereAnyMore)
{
    Receiver a;
    join(a, "here");
    std::string gone;
    {
        Receiver b;
        join(b, "soon gone");
        gone = name(b);
    }
    EXPECT_EQ(a.next(), "soon gone");
    say(a, "are you there?");
    EXPECT_EQ(program_.line(), "dropped " + gone);
    // Nobody else is
    Receiver c;
    join(c, "still here");
    EXPECT_EQ(a.next(), "still here");
    EXPECT_EQ(program_.stop(SIGINT), 0);
}

struct Frame {
    unsigned version = 0;
    unsigned sequence = 0;
    uint32_t ssrc = 0;
    std::string payload;
};

Frame next_frame(const Receiver &r)
{
    const auto data = r.next();
    if (!data || data->size() < 12)
        return {};
    uint16_t sequence = 0;
    uint32_t ssrc = 0;
    std::memcpy(&sequence, &(*data)[2], sizeof(sequence));
    std::memcpy(&ssrc, &(*data)[8], sizeof(ssrc));
    return {static_cast<unsigned>(static_cast<unsigned char>((*data)[0])) >> 6U, ntohs(sequence),
            ntohl(ssrc), data->substr(12)};
}

void expect_frames(const Receiver &r, uint32_t ssrc, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        const auto frame = next_frame(r);
        EXPECT_EQ(frame.version, 2U);
        EXPECT_EQ(frame.sequence, i);
        EXPECT_EQ(frame.ssrc, ssrc);
        EXPECT_EQ(frame.payload, "frame " + std::to_string(i));
    }
}

std::vector<std::string> with_addresses(std::vector<std::string> args,
                                        std::span<const sockaddr_in> addrs)
{
    for (const auto &addr : addrs) {
        args.emplace_back(inet_ntoa(addr.sin_addr));
        args.push_back(std::to_string(ntohs(addr.sin_port)));
    }
    return args;
}

TEST(Media, EachReceiverHasItsOwnHeaders)
{
    for (bool spread : {false, true}) {
        std::vector<Receiver> rs(3);
        std::vector<std::string> args{"-n", "5", "-i", "5"};
        if (spread)
            args.emplace_back("-s");
        Program media("media", with_addresses(args, addresses(rs)));
        for (uint32_t i = 0; i < 3; i++)
            expect_frames(rs[i], 0x10000000U + i, 0, 5);
        EXPECT_EQ(media.line(), "5 frames, 15 datagrams, 0 failed, waited 0 times");
        EXPECT_EQ(media.status(), 0);
        for (const auto &r : rs)
            EXPECT_TRUE(r.empty());
    }
}

// Between the receivers are hosts whose datagrams fill the send buffer until
// their hardware addresses are known.
void go_on_when_there_is_room()
{
    auto addrs = absent_hosts(30);
    ASSERT_EQ(std::system("ip link set lo up"), 0);
    Receiver first;
    Receiver last;
    addrs.insert(addrs.begin(), first.address());
    addrs.push_back(last.address());
    Program media("media", with_addresses({"-n", "3", "-i", "5", "-b", "1"}, addrs));
    expect_frames(first, 0x10000000U, 0, 1);
    EXPECT_TRUE(last.empty());
    ASSERT_EQ(std::system("for i in $(seq 2 31); do ip neigh replace 10.0.0.$i dev v0 "
                          "lladdr 02:00:00:00:00:01 nud permanent || exit; done"),
              0);
    expect_frames(last, 0x1000001fU, 0, 3);
    expect_frames(first, 0x10000000U, 1, 3);
    const std::string end = media.line();
    const std::string waited = ", waited ";
    const auto at = end.find(waited);
    ASSERT_NE(at, std::string::npos) << end;
    EXPECT_EQ(end.substr(0, at), "3 frames, 96 datagrams, 0 failed");
    EXPECT_GT(std::stoi(end.substr(at + waited.size())), 0);
    EXPECT_EQ(media.status(), 0);
}

TEST(Media, GoesOnWhenThereIsRoom) { in_thread(go_on_when_there_is_room); }

} // namespace
} // namespace library_test
