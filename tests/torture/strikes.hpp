// SPDX-License-Identifier: GPL-2.0-only
// How far each disturbance has come, and what it takes: a line a minute for who waits
// at the console, and a table in the end.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace torture {

class Strikes {
public:
    using clock = std::chrono::steady_clock;

    // Strikes of one kind, one after the other.
    class Kind {
    public:
        explicit Kind(std::string name) : name_(std::move(name)) {}
        void strike(const std::function<void()> &how)
        {
            const auto begin = clock::now();
            how();
            took_ += (clock::now() - begin).count();
            n_++;
        }
        unsigned n() const { return n_; }
        const std::string &name() const { return name_; }
        void print() const
        {
            const std::chrono::duration<double> took = clock::duration(took_);
            printf("strikes: %-10s %5u, %7.1f ms each\n", name_.c_str(), n_.load(),
                   n_ ? took.count() * 1e3 / n_ : 0);
        }

    private:
        const std::string name_;
        std::atomic<unsigned> n_ = 0;
        std::atomic<clock::rep> took_ = 0;
    };

    // All of them before progress().
    Kind &of(const std::string &name) { return kinds_.emplace_back(name); }
    void print() const
    {
        for (const auto &kind : kinds_)
            kind.print();
    }
    // As long as this lives somebody is told.
    std::jthread progress() const
    {
        return std::jthread([this](std::stop_token stop) {
            std::mutex mutex;
            std::condition_variable_any minute;
            std::unique_lock lock(mutex);
            for (;;) {
                minute.wait_for(lock, stop, std::chrono::minutes(1), [] { return false; });
                if (stop.stop_requested())
                    return;
                std::ofstream("/dev/console") << line() << std::flush;
            }
        });
    }

private:
    // Those that all wait for come first.
    std::string line() const
    {
        std::multimap<unsigned, std::string> sorted;
        for (const auto &kind : kinds_)
            sorted.emplace(kind.n(), kind.name());
        std::string text = "torture:";
        for (const auto &[n, name] : sorted)
            text += " " + name + " " + std::to_string(n);
        return text + "\n";
    }
    std::deque<Kind> kinds_; // which stay where they are
};

} // namespace torture
