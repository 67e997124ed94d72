// SPDX-License-Identifier: GPL-2.0-only
// Something that sends to all members and takes its own time: a way of sending,
// or the kernel's packet generator.
#pragma once

#include "figures.hpp"
#include "ways/all.hpp"
#include "ways/pktgen.hpp"

#include <algorithm>
#include <optional>

// What is the same for each row of a measurement.
struct Setting {
    std::string device;
    std::vector<sockaddr_in> members;
    std::vector<char> data;
    int sndbuf = 0;
    // Members that take the place of others, one before each send; or none.
    std::vector<sockaddr_in> spare;
};

class Source {
public:
    Source() = default;
    Source(const Source &) = delete;
    Source &operator=(const Source &) = delete;
    virtual ~Source() = default;
    struct Run {
        uint64_t nanoseconds;
        uint64_t datagrams; // that the device is to transmit for it
    };
    virtual Run run(size_t sends) = 0;
    // Whether its own time has in it that the device is done, and the time
    // around it has much else.
    virtual bool times_itself() const { return false; }
    // Datagrams that it knows it has not sent.
    virtual std::optional<uint64_t> failed() const { return {}; }
};

class WaySource final : public Source {
public:
    WaySource(std::string_view name, const Setting &setting)
        : setting_(setting),
          way_(ways::make_any(name, setting.device, setting.members, setting.sndbuf)),
          is_group_(name == "group")
    {}
    Run run(size_t sends) override
    {
        way_->begin();
        uint64_t start = now();
        for (size_t i = 0; i < sends; i++) {
            if (!setting_.spare.empty())
                change();
            way_->send(setting_.data);
        }
        uint64_t took = now() - start;
        way_->end();
        return {took, sends * setting_.members.size()};
    }
    std::optional<uint64_t> failed() const override
    {
        if (!is_group_)
            return {};
        udp_grpstat stat{};
        stat.size = sizeof(stat);
        socklen_t len = sizeof(stat);
        ways::check(!getsockopt(way_->sockets()[0], SOL_SOCKET, SO_GRPSTAT, &stat, &len),
                    "SO_GRPSTAT");
        return stat.failed + stat.unreached;
    }

private:
    // One slot after the other gets its spare member, and in the next turn its
    // first one back.
    void change()
    {
        const size_t n = setting_.members.size();
        const auto &from = changes_ / n % 2 ? setting_.members : setting_.spare;
        way_->change(changes_ % n, from[changes_ % n]);
        changes_++;
    }

    const Setting &setting_;
    std::unique_ptr<ways::Way> way_;
    bool is_group_;
    size_t changes_ = 0;
};

class PktgenSource final : public Source {
public:
    PktgenSource(const Setting &setting, unsigned burst)
        : members_(setting.members.size()),
          pktgen_(setting.device, setting.members, setting.data.size(), burst)
    {
        if (!setting.spare.empty())
            throw ways::NotPossible("pktgen has no members to change");
    }
    Run run(size_t sends) override
    {
        auto [took, sent] = pktgen_.run(std::max(sends * members_, least));
        return {took, sent};
    }
    bool times_itself() const override { return true; }

private:
    // In the end it waits for its last packet to be freed, until the card next
    // interrupts: as long as some hundred packets take. It waits for the card's
    // queue by itself, so there can be many.
    static constexpr size_t least = 50'000;

    size_t members_;
    ways::Pktgen pktgen_;
};

inline std::unique_ptr<Source> make_source(std::string_view name, const Setting &setting)
{
    if (name == "pktgen-1")
        return std::make_unique<PktgenSource>(setting, 1);
    if (name == "pktgen-64")
        return std::make_unique<PktgenSource>(setting, 64);
    return std::make_unique<WaySource>(name, setting);
}
