// SPDX-License-Identifier: GPL-2.0-only
#include "victim.hpp"

namespace torture {

Victim::Victim(Census &census, int family, bool counted, bool corked)
    : census_(census), family_(family), counted_(counted), corked_(corked), fd_(fresh())
{}

Victim::~Victim()
{
    udp_grpstat t{};
    t.size = sizeof(t);
    socklen_t len = sizeof(t);
    if (!counted_ || getsockopt(fd(), SOL_SOCKET, SO_GRPSTAT, &t, &len) < 0)
        return;
    auto sum = static_cast<long>(t.sent + t.failed + t.skipped + t.holes);
    if (sum != passed_)
        census_.violation("slots passed are " + std::to_string(passed_) + ", counted are " +
                          std::to_string(sum));
    if (t.unreached)
        census_.violation("unreached by a send that counts");
}

Fd Victim::fresh() const
{
    Fd fd(socket(family_, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sock_txtime txtime{.clockid = CLOCK_MONOTONIC, .flags = 0};
    timeval patience{.tv_sec = 0, .tv_usec = 20000};
    int on = 1;
    uint32_t flags = GRP_F_COUNT;
    setsockopt(fd.get(), SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime));
    setsockopt(fd.get(), SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on));
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    // the module can be gone between being loaded and being asked
    while (counted_ && setsockopt(fd.get(), SOL_SOCKET, SO_GRPFLAGS, &flags, sizeof(flags)) < 0)
        if (errno != ENOPROTOOPT)
            throw std::runtime_error("SO_GRPFLAGS");
    return fd;
}

Victims::Victims(Census &census) : census_(census)
{
    for (size_t i = 0; i < all_.size(); i++)
        all_[i] = make(i);
}

std::shared_ptr<Victim> Victims::any(std::mt19937 &random)
{
    std::lock_guard lock(mutex_);
    return all_[random() % all_.size()];
}

void Victims::replace(std::mt19937 &random)
{
    size_t i = random() % all_.size();
    auto other = make(i);
    std::lock_guard lock(mutex_);
    std::swap(all_[i], other);
}

std::shared_ptr<Victim> Victims::make(size_t i)
{
    bool is_counted = i / 2 % 2;
    return std::make_shared<Victim>(census_, i % 2 ? AF_INET6 : AF_INET, is_counted,
                                    !is_counted && i < 4);
}

} // namespace torture
