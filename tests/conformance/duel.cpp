// SPDX-License-Identifier: GPL-2.0-only
#include "duel.hpp"

#include "difference.hpp"

namespace conformance {

namespace {

long transmit(const Sender &s, const Shot &shot, const Address *dest)
{
    std::string data = shot.data;
    Control control = shot.control;
    std::vector<iovec> iov;
    size_t at = 0;
    for (size_t n : shot.pieces) {
        iov.push_back({data.data() + at, n});
        at += n;
    }
    iov.push_back({data.data() + at, data.size() - at});
    msghdr msg{};
    msg.msg_iov = iov.data();
    msg.msg_iovlen = iov.size();
    if (control.size()) {
        msg.msg_control = control.data();
        msg.msg_controllen = control.size();
    }
    if (dest) {
        msg.msg_name = const_cast<Address *>(dest);
        msg.msg_namelen = dest->length();
    }
    return result(sendmsg(s.fd(), &msg, shot.flags));
}

// What is in the one and not in the other, at most a few of them.
std::vector<std::string> different(std::vector<std::string> a, const std::vector<std::string> &b)
{
    std::erase_if(a, [&](const auto &s) { return std::find(b.begin(), b.end(), s) != b.end(); });
    a.resize(std::min<size_t>(a.size(), 5));
    return a;
}

Counters counters_of(const World &world)
{
    In in(*world.sender);
    return counters();
}

} // namespace

Duel::Setup raw_option(int level, int name, const void *value, size_t len)
{
    std::string bytes(static_cast<const char *>(value), len);
    return [=](const Sender &s) {
        if (setsockopt(s.fd(), level, name, bytes.data(), static_cast<socklen_t>(len)) < 0)
            throw std::runtime_error("option " + std::to_string(level) + "/" +
                                     std::to_string(name) + ": " + strerror(errno));
    };
}

Duel::Setup option(int level, int name, int value)
{
    return raw_option(level, name, &value, sizeof(value));
}

Duel::Setup to_device(const std::string &name)
{
    return raw_option(SOL_SOCKET, SO_BINDTODEVICE, name.c_str(), name.size() + 1);
}

Duel::Setup owner(uid_t user)
{
    return [=](const Sender &s) {
        if (fchown(s.fd(), user, static_cast<gid_t>(-1)) < 0)
            throw std::runtime_error(std::string("owner: ") + strerror(errno));
    };
}

Duel::Setup all_of(std::vector<Duel::Setup> setups)
{
    return [setups = std::move(setups)](const Sender &s) {
        for (const auto &setup : setups)
            setup(s);
    };
}

Duel::Duel(Mirror &mirror, Addresses members, const Setup &setup, const std::string &source)
    : mirror_(mirror), members_(std::move(members)), one_(sender(mirror.one, setup, source)),
      group_(sender(mirror.group, setup, source))
{
    const std::string packed = members_.packed();
    if (group_.set_raw(packed.data(), packed.size()) != 0)
        throw std::runtime_error(std::string("SO_SETGRP: ") + strerror(errno));
    SendTrace::of_all().take();
    before_one_ = counters_of(mirror_.one);
    before_group_ = counters_of(mirror_.group);
}

Duel::~Duel() { expect_same_counters(); }

Sender Duel::sender(World &world, const Setup &setup, const std::string &source) const
{
    In in(*world.sender);
    Sender s(members_.family());
    if (setup)
        setup(s);
    if (source.empty())
        return s;
    const bool is_ip6 = members_.family() == AF_INET6;
    const std::string from = source != "*" ? source : is_ip6 ? "::" : "0.0.0.0";
    const Address local = is_ip6 ? Address(address6(from, 4000)) : address(from, 4000);
    if (bind(s.fd(), &local.any, local.length()) < 0)
        throw std::runtime_error("bind to " + source + ": " + strerror(errno));
    return s;
}

// A member and a result.
std::string Duel::member(size_t i, long result) const
{
    return std::to_string(i) + ", " + members_[i].text() + ":" +
           std::to_string(members_[i].port()) + ": " + std::to_string(result);
}

void Duel::each(const Setup &what)
{
    {
        In in(*mirror_.one.sender);
        what(one_);
    }
    In in(*mirror_.group.sender);
    what(group_);
}

Outcome Duel::all_fail(int error) const
{
    Outcome o;
    for (size_t i = 0; i < size(); i++)
        o.errors[i] = error;
    return o;
}

size_t Duel::count_if(const std::function<bool(size_t)> &what) const
{
    size_t n = 0;
    for (size_t i = 0; i < members_.size(); i++)
        n += what(i);
    return n;
}

void Duel::send_to_each(const Shot &shot, const Outcome &outcome) const
{
    std::vector<std::string> is, wanted;
    for (size_t i = 0; i < members_.size(); i++) {
        if (!shot.is_for(i))
            continue;
        auto error = outcome.errors.find(i);
        Shot one = shot;
        if (!shot.own.empty())
            one.data = shot.own.at(i) + shot.data;
        is.push_back(member(i, transmit(one_, one, &members_[i])));
        wanted.push_back(member(i, error == outcome.errors.end()
                                       ? static_cast<long>(one.data.size())
                                       : -error->second));
    }
    EXPECT_EQ(different(is, wanted), different(wanted, is)) << "what sendto() returned";
}

// What the shot is, by the group's control messages; what is asked for that is
// the whole group has none. Returns 0, or an error.
long Duel::transmit_to_group(const Shot &shot) const
{
    Shot whole = shot;
    size_t range = count_if([&](size_t i) { return shot.is_in_range(i); });
    if (range != members_.size())
        whole.control.range(static_cast<uint32_t>(shot.first), static_cast<uint32_t>(range));
    if (!shot.left_out.empty()) {
        Addresses skip;
        for (size_t i : shot.left_out)
            skip.push_back(members_.at(i));
        const std::string packed = skip.packed();
        whole.control.add_raw(SOL_UDP, UDP_GRP_SKIP, packed.data(), packed.size());
    }
    if (!shot.own.empty()) {
        whole.control.own(group_.stat().totals.generation,
                          static_cast<uint32_t>(shot.own[0].size()));
        whole.data.clear();
        for (size_t i = 0; i < members_.size(); i++)
            if (shot.is_in_range(i))
                whole.data += shot.own.at(i);
        whole.data += shot.data;
    }
    long sent = transmit(group_, whole, nullptr);
    return sent == static_cast<long>(whole.data.size()) ? 0 : sent;
}

void Duel::send_to_group(const Shot &shot, const Outcome &outcome)
{
    const auto is_for = [&](size_t i) { return shot.is_for(i); };
    auto errors = outcome.errors;
    errors.insert(outcome.hidden.begin(), outcome.hidden.end());
    auto before = group_.stat();
    EXPECT_EQ(transmit_to_group(shot), 0);
    auto events = SendTrace::of_all().take();
    auto after = group_.stat();

    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].passed, count_if([&](size_t i) { return shot.is_in_range(i); }));
    EXPECT_EQ(events[0].fast, outcome.fast) << "datagrams on the fast path";
    EXPECT_EQ(events[0].sent, count_if(is_for) - errors.size());
    EXPECT_EQ(events[0].failed, errors.size());
    EXPECT_EQ(events[0].unreached, 0u);
    ASSERT_EQ(after.members.size(), members_.size());
    std::vector<std::string> is, wanted;
    for (size_t i = 0; i < members_.size(); i++) {
        const auto &was = before.members[i], &now = after.members[i];
        bool failed = now.failed != was.failed;
        EXPECT_EQ(now.sent - was.sent + now.failed - was.failed, is_for(i)) << member(i, 0);
        auto error = errors.find(i);
        is.push_back(member(i, failed ? -now.error : 0));
        wanted.push_back(member(i, error == errors.end() ? 0 : -error->second));
    }
    EXPECT_EQ(different(is, wanted), different(wanted, is)) << "what became of members";
}

// Sends in one of the worlds, and collects what is to be seen there.
Duel::Seen Duel::run(World &world, const Outcome &outcome, const std::function<void()> &send) const
{
    In in(*world.sender);
    Seen seen;
    for (auto &[name, tap] : world.taps)
        EXPECT_TRUE(tap.take(0).empty()) << name << " received frames before";
    send();
    for (auto &[name, tap] : world.taps) {
        auto wanted = outcome.frames.find(name);
        size_t n = wanted == outcome.frames.end() ? 0 : wanted->second;
        auto &frames = seen[name] = tap.take(n);
        EXPECT_EQ(frames.size(), n) << "frames at " << name;
        EXPECT_EQ(tap.lost(), 0u) << "frames not captured at " << name;
    }
    for (const auto &[name, n] : outcome.frames)
        EXPECT_TRUE(world.taps.count(name)) << "nobody looks at " << name;
    return seen;
}

// What both worlds have counted since the duel began.
void Duel::expect_same_counters() const
{
    Counters one, group;
    // what the kernel counts after the sender is done, it counts soon
    if (eventually([&] {
            one = growth(before_one_, counters_of(mirror_.one));
            group = growth(before_group_, counters_of(mirror_.group));
            return one == group;
        }))
        return;
    Counters names = one;
    names.insert(group.begin(), group.end());
    for (const auto &[name, value] : names)
        EXPECT_EQ(one[name], group[name]) << name << " has grown differently";
}

// The identifiers that a member gets from the fast path do not repeat.
void Duel::expect_new_idents(const Seen &seen)
{
    for (const auto &[name, frames] : seen)
        for (const auto &f : frames) {
            if (f.is_ip6() || !f.ident() || f.is_later_fragment())
                continue;
            EXPECT_TRUE(idents_[f.destination() + f.bytes.substr(Frame::ip + 22, 2)]
                            .insert(f.ident())
                            .second)
                << "identifier " << f.ident() << " once more";
        }
}

void Duel::send(const Shot &shot, const Outcome &outcome)
{
    size_t total = outcome.errors.size();
    for (const auto &[name, n] : outcome.frames)
        total += n;
    ASSERT_GT(total, 0u) << "a case that would see nothing";
    int before = failures();

    auto one = run(mirror_.one, outcome, [&] {
        SCOPED_TRACE("by sendto()");
        send_to_each(shot, outcome);
    });
    auto group = run(mirror_.group, outcome, [&] {
        SCOPED_TRACE("by a group");
        send_to_group(shot, outcome);
    });
    for (const auto &[name, frames] : one) {
        SCOPED_TRACE("at " + name);
        expect_same_frames(frames, group[name], outcome.ordered);
    }
    if (outcome.fast == size())
        expect_new_idents(group);
    last_ = std::move(group);
    // what follows would differ for the same reason
    if (failures() != before)
        throw std::runtime_error("not conformant");
}

void Duel::refuse(const Shot &shot, int error)
{
    run(mirror_.one, {}, [&] { send_to_each(shot, all_fail(error)); });
    run(mirror_.group, {}, [&] {
        auto before = group_.stat().totals;
        EXPECT_EQ(transmit_to_group(shot), -error);
        auto after = group_.stat().totals;
        EXPECT_EQ(memcmp(&before, &after, sizeof(after)), 0) << "it counts as a send";
        EXPECT_TRUE(SendTrace::of_all().take().empty()) << "it began";
    });
}

} // namespace conformance
