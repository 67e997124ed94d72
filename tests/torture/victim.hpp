// SPDX-License-Identifier: GPL-2.0-only
// The sockets that all threads share. With some anything is done; others count
// slots and are spared what would let a send go past the group, so that in the end
// the sums must be right.
#pragma once

#include "census.hpp"
#include "endpoint.hpp"

#include <linux/net_tstamp.h>

#include <array>
#include <memory>
#include <random>

namespace torture {

class Victim {
public:
    Victim(Census &census, int family, bool counted, bool corked);
    // The last one who used it has gone: is each slot passed in one of the sums?
    ~Victim();
    int fd() const { return fd_.get(); }
    int family() const { return family_; }
    bool is_counted() const { return counted_; }
    // Datagrams may be held back, which any send goes on with: what is one member's
    // own is not sent here, or others would get it, as without groups.
    bool is_corked() const { return corked_; }
    // What a send to the group returned.
    void passed(long slots)
    {
        if (slots > 0)
            passed_ += slots;
    }
    // Closed under everybody who is in it; the number is that of another then.
    void close_in_use() const { dup2(fresh().get(), fd()); }

private:
    Fd fresh() const;
    Census &census_;
    int family_;
    bool counted_, corked_;
    Fd fd_;
    std::atomic<long> passed_ = 0;
};

class Victims {
public:
    explicit Victims(Census &census);
    std::shared_ptr<Victim> any(std::mt19937 &random);
    // Closed when nobody uses it any more.
    void replace(std::mt19937 &random);

private:
    std::shared_ptr<Victim> make(size_t i);
    Census &census_;
    std::mutex mutex_;
    std::array<std::shared_ptr<Victim>, 8> all_;
};

} // namespace torture
