// SPDX-License-Identifier: GPL-2.0-only
// How often each operation was tried, and what came of it; whether that may be.
#pragma once

#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace torture {

class Census {
public:
    // The outcome of one operation: 0 or more, or -errno, of which only those are
    // documented that are named.
    long count(const std::string &operation, long outcome, const std::set<int> &errnos)
    {
        std::lock_guard lock(mutex_);
        counts_[operation][outcome < 0 ? static_cast<int>(-outcome) : 0]++;
        if (outcome < 0 && !errnos.count(static_cast<int>(-outcome)))
            undocumented_[operation + ": " + strerrorname_np(static_cast<int>(-outcome))]++;
        return outcome;
    }
    void violation(const std::string &what)
    {
        std::lock_guard lock(mutex_);
        undocumented_[what]++;
    }
    // What must not have happened, and how often it did.
    const std::map<std::string, long> &violations() const { return undocumented_; }
    long total() const
    {
        long n = 0;
        for (const auto &[op, outcomes] : counts_)
            for (const auto &[err, count] : outcomes)
                n += count;
        return n;
    }
    long of(const std::string &operation) const
    {
        long n = 0;
        if (auto op = counts_.find(operation); op != counts_.end())
            for (const auto &[err, count] : op->second)
                n += count;
        return n;
    }
    // How often it had this outcome: 0 for success, or an errno.
    long of(const std::string &operation, int outcome) const
    {
        std::lock_guard lock(mutex_);
        auto op = counts_.find(operation);
        if (op == counts_.end() || !op->second.count(outcome))
            return 0;
        return op->second.at(outcome);
    }
    void print() const
    {
        for (const auto &[op, outcomes] : counts_) {
            printf("%-24s", op.c_str());
            for (const auto &[err, count] : outcomes)
                printf(" %s %ld", err ? strerrorname_np(err) : "ok", count);
            printf("\n");
        }
        printf("operations tried: %ld\n", total());
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::map<int, long>> counts_;
    std::map<std::string, long> undocumented_;
};

} // namespace torture
