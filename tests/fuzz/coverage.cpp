// SPDX-License-Identifier: GPL-2.0-only
#include "coverage.hpp"

#include <fcntl.h>
#include <linux/kcov.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace fuzz {

size_t PlaceSet::slot(uint64_t place) const
{
    size_t at = place * 0x9e3779b97f4a7c15ULL >> 48;
    while (places_[at] != 0 && places_[at] != place)
        at = (at + 1) % places_.size();
    return at;
}

bool PlaceSet::add(uint64_t place)
{
    const size_t at = slot(place);
    // never full, or a search would not end
    if (places_[at] == place || size_ > places_.size() / 2)
        return false;
    places_[at] = place;
    size_++;
    return true;
}

Coverage::Coverage() : fd_(open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC))
{
    if (fd_ < 0)
        throw std::system_error(errno, std::generic_category(), "kcov");
    if (ioctl(fd_, KCOV_INIT_TRACE, max_places) < 0)
        throw std::system_error(errno, std::generic_category(), "KCOV_INIT_TRACE");
    void *area =
        mmap(nullptr, max_places * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (area == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(), "kcov");
    area_ = static_cast<uint64_t *>(area);
}

Coverage::~Coverage()
{
    ioctl(fd_, KCOV_DISABLE, 0);
    munmap(area_, max_places * sizeof(uint64_t));
    close(fd_);
}

void Coverage::start()
{
    if (ioctl(fd_, KCOV_ENABLE, KCOV_TRACE_PC) < 0)
        throw std::system_error(errno, std::generic_category(), "KCOV_ENABLE");
}

std::span<const uint64_t> Coverage::places() const
{
    const size_t n = __atomic_load_n(area_, __ATOMIC_RELAXED);
    return {area_ + 1, std::min(n, max_places - 1)};
}

} // namespace fuzz
