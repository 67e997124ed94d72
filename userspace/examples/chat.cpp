// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// A chat server over UDP: who sends anything is in, and what somebody says goes
// to all others in one send. "/leave" leaves. Who is not there any more is
// dropped when an ICMP error says so.
//
// chat [PORT]     try it: nc -u localhost PORT

#include <groupcast/groupcast.hpp>

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string_view>
#include <system_error>

namespace {

class descriptor {
public:
    explicit descriptor(int fd, const char *what) : fd_(fd)
    {
        if (fd < 0)
            throw std::system_error(errno, std::system_category(), what);
    }
    descriptor(const descriptor &) = delete;
    descriptor &operator=(const descriptor &) = delete;
    ~descriptor() { close(fd_); }
    int fd() const { return fd_; }

private:
    int fd_;
};

// SIGINT and SIGTERM, which end the program, as something to wait for.
int signals()
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

int every_second()
{
    const itimerspec second{.it_interval = {1, 0}, .it_value = {1, 0}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd >= 0)
        timerfd_settime(fd, 0, &second, nullptr);
    return fd;
}

class chat {
public:
    explicit chat(uint16_t port)
        : socket_(groupcast::ip::v6), poll_(epoll_create1(EPOLL_CLOEXEC), "epoll"),
          timer_(every_second(), "timerfd"), signals_(signals(), "signalfd"), group_(socket_.fd())
    {
        // Both families: IPv4 peers have mapped addresses then
        socket_.bind(groupcast::ipv6("::", port));
        for (int fd : {socket_.fd(), timer_.fd(), signals_.fd()}) {
            epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
            if (epoll_ctl(poll_.fd(), EPOLL_CTL_ADD, fd, &event) < 0)
                throw std::system_error(errno, std::system_category(), "epoll_ctl");
        }
        std::cout << "port " << socket_.local_address().port() << std::endl;
    }

    void run()
    {
        for (;;) {
            epoll_event event{};
            if (epoll_wait(poll_.fd(), &event, 1, -1) < 1)
                continue;
            if (event.data.fd == signals_.fd())
                return;
            if (event.data.fd == socket_.fd())
                receive_all();
            if (event.data.fd == timer_.fd())
                drop_the_dead();
        }
    }

private:
    void receive_all()
    {
        char data[2048];
        groupcast::address from;
        for (;;) {
            socklen_t len = groupcast::address::capacity;
            ssize_t n = recvfrom(socket_.fd(), data, sizeof(data), MSG_DONTWAIT, from.data(), &len);
            if (n >= 0)
                handle(from, {data, static_cast<size_t>(n)});
            else if (errno == EAGAIN)
                return;
            // Other errors are of earlier datagrams, and in the statistics
        }
    }

    void handle(const groupcast::address &from, std::string_view text)
    {
        std::error_code ec;
        if (text == "/leave" || text == "/leave\n") {
            group_.del(from, ec);
            if (!ec)
                std::cout << "left " << to_string(from) << std::endl;
            return;
        }
        group_.add(from, ec);
        if (!ec)
            std::cout << "joined " << to_string(from) << std::endl;
        else if (ec != std::errc::address_in_use) // who is in already
            return;
        group_.send(text, {.skip = from}, ec);
        if (ec)
            std::cerr << "chat: " << ec.message() << std::endl;
    }

    // An ICMP error is no proof: who is dropped by mistake is back in with the
    // next message.
    void drop_the_dead()
    {
        uint64_t ticks = 0;
        if (read(timer_.fd(), &ticks, sizeof(ticks)) < 0)
            return;
        for (const auto &member : group_.stat().members) {
            if (member.icmp == 0)
                continue;
            const groupcast::address addr(member.addr);
            group_.del(addr);
            std::cout << "dropped " << to_string(addr) << std::endl;
        }
    }

    groupcast::socket socket_;
    descriptor poll_;
    descriptor timer_;
    descriptor signals_;
    groupcast::group group_;
};

} // namespace

int main(int argc, char **argv)
{
    try {
        chat(static_cast<uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0)).run();
    } catch (const std::exception &e) {
        std::cerr << "chat: " << e.what() << '\n';
        return 1;
    }
}
