// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// Media for many: each receiver has an RTP-like header of its own, with its
// sequence number and SSRC, and all share the payload. A frame that finds the
// send buffer full goes on where it has stopped when there is room again.
//
// media [-n FRAMES] [-i MILLISECONDS] [-b SNDBUF] [-s] ADDRESS PORT...
//
// With -s the datagrams of a frame depart one after another over the time that
// the frame has (fq or etf does that), instead of all at once.

#include <groupcast/groupcast.hpp>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <linux/net_tstamp.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct settings {
    unsigned frames = 100;
    std::chrono::nanoseconds interval = 20ms;
    int sndbuf = 0;
    bool spread = false;
    std::vector<groupcast::address> receivers;
};

struct header { // as in RFC 3550
    uint8_t version = 2U << 6U;
    uint8_t type = 96;
    uint16_t sequence = 0; // these in network order
    uint32_t timestamp = 0;
    uint32_t ssrc = 0;
};

int check(int result, const char *what)
{
    if (result < 0)
        throw std::system_error(errno, std::system_category(), what);
    return result;
}

class media {
public:
    explicit media(const settings &given)
        : settings_(given), socket_(SOCK_NONBLOCK), group_(socket_.fd()),
          headers_(given.receivers.size()), poll_(check(epoll_create1(EPOLL_CLOEXEC), "epoll")),
          timer_(check(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd"))
    {
        if (settings_.sndbuf != 0)
            set_option(SO_SNDBUF, settings_.sndbuf);
        if (settings_.spread)
            set_option(SO_TXTIME, sock_txtime{.clockid = CLOCK_MONOTONIC, .flags = 0});
        group_.set_flags(GRP_F_COUNT);
        group_.set(settings_.receivers);
        generation_ = group_.totals().generation;
        for (uint32_t i = 0; auto &header : headers_)
            header.ssrc = htonl(0x10000000U + i++);

        const auto ns = settings_.interval.count();
        const timespec every{.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
        const itimerspec time{.it_interval = every, .it_value = every};
        check(timerfd_settime(timer_, 0, &time, nullptr), "timerfd_settime");
        watch(EPOLL_CTL_ADD, timer_, EPOLLIN);
        watch(EPOLL_CTL_ADD, socket_.fd(), 0);
    }
    media(const media &) = delete;
    media &operator=(const media &) = delete;
    ~media()
    {
        close(timer_);
        close(poll_);
    }

    void run()
    {
        while (frame_ < settings_.frames || is_under_way()) {
            epoll_event event{};
            if (epoll_wait(poll_, &event, 1, -1) < 1)
                continue;
            if (event.data.fd == timer_)
                tick();
            else if (is_under_way())
                send_rest();
        }
        const auto totals = group_.totals();
        std::cout << frame_ << " frames, " << totals.sent << " datagrams, " << totals.failed
                  << " failed, waited " << waits_ << " times\n";
    }

private:
    template <typename T> void set_option(int name, const T &value) const
    {
        check(setsockopt(socket_.fd(), SOL_SOCKET, name, &value, sizeof(value)), "setsockopt");
    }

    void watch(int operation, int fd, uint32_t events) const
    {
        epoll_event event{.events = events, .data = {.fd = fd}};
        check(epoll_ctl(poll_, operation, fd, &event), "epoll_ctl");
    }

    bool is_under_way() const { return next_ < headers_.size(); }

    void tick()
    {
        uint64_t ticks = 0;
        check(static_cast<int>(read(timer_, &ticks, sizeof(ticks))), "timerfd");
        if (is_under_way() || frame_ == settings_.frames)
            return; // the next frame waits for the next tick
        payload_ = "frame " + std::to_string(frame_);
        for (auto &header : headers_) {
            header.sequence = htons(static_cast<uint16_t>(frame_));
            header.timestamp = htonl(frame_ * 90U);
        }
        frame_++;
        next_ = 0;
        send_rest();
    }

    // From the slot on at which it has stopped.
    void send_rest()
    {
        while (is_under_way()) {
            const auto rest = std::span(headers_).subspan(next_);
            groupcast::send_options options{
                .range = {static_cast<uint32_t>(next_), 0},
                .prefixes = groupcast::prefixes::of(rest, generation_),
            };
            if (settings_.spread)
                options.spread = settings_.interval * rest.size() / headers_.size();
            std::error_code ec;
            next_ += group_.send(payload_, options, ec);
            if (ec && ec != std::errc::resource_unavailable_try_again)
                throw std::system_error(ec, "send");
            waits_ += ec ? 1 : 0;
            watch(EPOLL_CTL_MOD, socket_.fd(), ec ? EPOLLOUT : 0U);
            if (ec)
                return;
        }
    }

    const settings settings_;
    groupcast::socket socket_;
    groupcast::group group_;
    uint64_t generation_ = 0;
    std::vector<header> headers_; // by slot
    std::string payload_;
    size_t next_ = SIZE_MAX; // slot that the frame has come to
    unsigned frame_ = 0;
    uint64_t waits_ = 0;
    int poll_;
    int timer_;
};

settings parse(int argc, char **argv)
{
    settings settings;
    for (int option = 0; (option = getopt(argc, argv, "n:i:b:s")) != -1;) {
        if (option == 'n')
            settings.frames = static_cast<unsigned>(std::atoi(optarg));
        else if (option == 'i')
            settings.interval = std::chrono::milliseconds(std::atoi(optarg));
        else if (option == 'b')
            settings.sndbuf = std::atoi(optarg);
        else if (option == 's')
            settings.spread = true;
        else
            throw std::invalid_argument("see the top of media.cpp");
    }
    for (; optind + 1 < argc; optind += 2)
        settings.receivers.emplace_back(
            groupcast::ipv4(argv[optind], static_cast<uint16_t>(std::atoi(argv[optind + 1]))));
    return settings;
}

} // namespace

int main(int argc, char **argv)
{
    try {
        media(parse(argc, argv)).run();
    } catch (const std::exception &e) {
        std::cerr << "media: " << e.what() << '\n';
        return 1;
    }
}
