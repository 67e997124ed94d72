// SPDX-License-Identifier: GPL-2.0-only
// Members that come and go while a test sends.
#pragma once

#include "families.hpp"

#include <random>

namespace selftest {

// Some of these join and some leave, all the time, until this ends. None of them is
// a member before.
class Churn {
public:
    Churn(const Sender &s, std::vector<Address> who)
        : thread_([this, &s, who = std::move(who)] { run(s, who); })
    {}
    ~Churn()
    {
        done_ = true;
        thread_.join();
    }
    Churn(const Churn &) = delete;
    Churn &operator=(const Churn &) = delete;
    int changes() const { return changes_; }

private:
    void run(const Sender &s, const std::vector<Address> &who)
    {
        std::mt19937 random(3);
        std::vector<bool> in(who.size());
        while (!done_) {
            std::vector<Address> batch;
            const bool join = random() % 2;
            for (size_t i = 0; i < who.size(); i++)
                if (in[i] != join && random() % 8 == 0) {
                    in[i] = join;
                    batch.push_back(who[i]);
                }
            if (!batch.empty()) {
                EXPECT_EQ(change(s, join ? SO_ADDGRP : SO_DELGRP, batch), 0);
                changes_++;
            }
            std::this_thread::yield();
        }
    }
    std::atomic<bool> done_ = false;
    std::atomic<int> changes_ = 0;
    std::thread thread_;
};

inline std::vector<Address> generic(std::span<const sockaddr_in> addrs)
{
    std::vector<Address> all(addrs.size());
    for (size_t i = 0; i < addrs.size(); i++)
        all[i].in = addrs[i];
    return all;
}

// A group in which those who stay have every other slot, and between them are holes
// for those who come and go.
inline std::vector<Address> in_turns(std::span<const Address> stay, std::span<const Address> others)
{
    std::vector<Address> both;
    for (size_t i = 0; i < stay.size(); i++) {
        both.push_back(stay[i]);
        both.push_back(others[i]);
    }
    return both;
}

} // namespace selftest
