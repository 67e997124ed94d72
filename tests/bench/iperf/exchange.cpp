// SPDX-License-Identifier: GPL-2.0-only
// One exchange of iperf3's, and what it cost:
//
//   exchange SERVER-NETNS CLIENT-NETNS ADDRESS CLIENT-OPTION...
//
// "-" is the namespace it is called in. Prints a line of JSON with the
// processor time of both ends, which under QEMU's -icount shift=0 is the number
// of instructions, and with the client's own report. Fails if either end does.

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

void check(bool ok, const std::string &what)
{
    if (!ok)
        throw std::system_error(errno, std::generic_category(), what);
}

class Process {
public:
    Process(const std::string &netns, std::vector<std::string> command, const std::string &output)
        : pid_(fork())
    {
        check(pid_ >= 0, "fork");
        if (pid_ == 0)
            run(netns, command, output);
    }
    ~Process()
    {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
    }
    Process(const Process &) = delete;
    Process &operator=(const Process &) = delete;

    bool listens() const
    {
        // iperf3's port, 5201, in the state LISTEN
        std::ifstream in("/proc/" + std::to_string(pid_) + "/net/tcp");
        for (std::string line; std::getline(in, line);)
            if (line.find(":1451 00000000:0000 0A ") != std::string::npos)
                return true;
        return false;
    }

    // Its user and system time in microseconds, once it has ended well.
    long long wait(const char *name)
    {
        int status = 0;
        rusage used{};
        check(wait4(pid_, &status, 0, &used) == pid_, "wait4");
        pid_ = -1;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            throw std::runtime_error(std::string(name) + " failed");
        auto us = [](const timeval &t) { return t.tv_sec * 1'000'000LL + t.tv_usec; };
        return us(used.ru_utime) + us(used.ru_stime);
    }

private:
    [[noreturn]] static void run(const std::string &netns, std::vector<std::string> &command,
                                 const std::string &output)
    {
        int out = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        bool ready = out >= 0 && dup2(out, STDOUT_FILENO) >= 0;
        if (ready && netns != "-") {
            int fd = open(("/run/netns/" + netns).c_str(), O_RDONLY | O_CLOEXEC);
            ready = fd >= 0 && setns(fd, CLONE_NEWNET) == 0;
        }
        std::vector<char *> argv;
        argv.reserve(command.size() + 1);
        for (auto &word : command)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        if (ready)
            execvp(argv[0], argv.data());
        perror("exchange");
        _exit(127);
    }

    pid_t pid_;
};

// In one line.
std::string contents(const std::string &file)
{
    std::stringstream in;
    in << std::ifstream(file).rdbuf();
    std::string text = in.str();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc < 4) {
        fprintf(stderr, "usage: exchange SERVER-NETNS CLIENT-NETNS ADDRESS CLIENT-OPTION...\n");
        return 2;
    }
    const std::string report = "/tmp/exchange.client";
    std::vector<std::string> client{"iperf3", "-J", "-4", "-c", argv[3]};
    client.insert(client.end(), argv + 4, argv + argc);

    Process server(argv[1], {"iperf3", "-J", "-4", "-s", "-1"}, "/tmp/exchange.server");
    using namespace std::chrono;
    for (auto end = steady_clock::now() + seconds(10); !server.listens();) {
        if (steady_clock::now() > end)
            throw std::runtime_error("the server does not listen");
        std::this_thread::sleep_for(milliseconds(1));
    }
    auto start = steady_clock::now();
    Process sender(argv[2], client, report);
    long long sender_us = sender.wait("the client");
    long long server_us = server.wait("the server");
    long long took = duration_cast<microseconds>(steady_clock::now() - start).count();
    printf("{\"client_us\":%lld,\"server_us\":%lld,\"took_us\":%lld,\"report\":%s}\n", sender_us,
           server_us, took, contents(report).c_str());
    return 0;
} catch (const std::exception &e) {
    fprintf(stderr, "exchange: %s\n%s\n", e.what(), contents("/tmp/exchange.client").c_str());
    return 1;
}
