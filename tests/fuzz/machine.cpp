// SPDX-License-Identifier: GPL-2.0-only
#include "machine.hpp"

#include "control.hpp"
#include "documented.hpp"
#include "link.hpp"
#include "options.hpp"

#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/udp_group.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iterator>
#include <vector>

namespace fuzz {

namespace {

struct SocketKind {
    int family, type, protocol;
};

// The first two can have groups.
constexpr SocketKind socket_kinds[] = {
    {AF_INET, SOCK_DGRAM, 0},
    {AF_INET6, SOCK_DGRAM, 0},
    {AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE},
    {AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE},
    {AF_INET, SOCK_STREAM, 0},
    {AF_INET6, SOCK_STREAM, 0},
    {AF_INET, SOCK_RAW, IPPROTO_UDP},
    {AF_INET6, SOCK_RAW, IPPROTO_UDP},
    {AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
    {AF_PACKET, SOCK_DGRAM, 0},
    {AF_PACKET, SOCK_RAW, 0},
    {AF_UNIX, SOCK_DGRAM, 0},
    {AF_UNIX, SOCK_STREAM, 0},
    {AF_NETLINK, SOCK_RAW, 0},
};

constexpr int group_options[] = {SO_SETGRP, SO_ADDGRP, SO_DELGRP, SO_ADDGRP,
                                 SO_DELGRP, SO_SETGRP, SO_GRPSTAT};
constexpr int read_options[] = {SO_SETGRP,   SO_GRPSTAT, SO_GRPSTAT, SO_SETGRP,
                                SO_GRPFLAGS, SO_ADDGRP,  SO_DELGRP};
constexpr size_t file_length = 1 << 20;

size_t member_count(uint64_t number)
{
    constexpr size_t counts[] = {1, 2, 63, 64, 65, 128, 130, 300, 1100, 16};
    Choice choice(number);
    return choice.of(8) == 7 ? choice.from(counts) : choice.of(9);
}

int send_flags(uint64_t number)
{
    constexpr int flags[] = {MSG_MORE,
                             MSG_OOB,
                             MSG_ZEROCOPY,
                             MSG_CONFIRM,
                             MSG_DONTROUTE,
                             MSG_NOSIGNAL,
                             MSG_PROXY,
                             MSG_EOR,
                             MSG_TRUNC,
                             MSG_FASTOPEN,
                             0x8000000 /* MSG_SPLICE_PAGES */,
                             0x20000,
                             0x10000000,
                             -1};
    Choice choice(number);
    switch (choice.of(6)) {
    case 1:
    case 2:
        return MSG_DONTWAIT;
    case 3:
        return choice.from(flags);
    case 4:
        return choice.from(flags) | choice.from(flags);
    default:
        return 0;
    }
}

// The addresses of an operation, one behind the other.
std::vector<std::byte> addresses(const Operation &op)
{
    std::vector<std::byte> all;
    const auto &n = op.numbers;
    const size_t count = member_count(n[2]);
    Choice bad(n[7]);
    const bool has_bad = bad.of(4) == 1 && count != 0;
    const size_t bad_place = has_bad ? bad.of(count) : count;
    for (size_t i = 0; i < count; i++) {
        // the step goes through the kinds, or stays with one
        const uint64_t number = n[3] + i * (n[4] % 4 == 0 ? usable_addresses : n[4] - 1);
        auto one = i == bad_place ? bad_address(bad.rest()) : address(number);
        all.insert(all.end(), one.begin(), one.end());
    }
    return all;
}

// Of what the kernel has taken.
size_t count_addresses(std::span<const std::byte> packed)
{
    size_t count = 0;
    for (size_t at = 0; at < packed.size(); count++)
        at += packed[at] == std::byte{AF_INET} ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    return count;
}

// As members are read back: IPv4 addresses have nothing in their padding.
std::vector<std::byte> read_back(std::span<const std::byte> packed)
{
    std::vector<std::byte> back(packed.begin(), packed.end());
    for (size_t at = 0; at + sizeof(sockaddr_in) <= back.size();) {
        sa_family_t family = 0;
        std::memcpy(&family, back.data() + at, sizeof(family));
        if (family == AF_INET)
            std::memset(back.data() + at + 8, 0, 8);
        at += family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    }
    return back;
}

std::string undocumented(int err) { return std::string("undocumented errno: ") + strerror(err); }

} // namespace

Machine::Machine(Coverage *coverage)
    : coverage_(coverage), fail_nth_(open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC)),
      file_(memfd_create("data", MFD_CLOEXEC))
{
    if (ftruncate(file_, file_length) < 0)
        throw std::runtime_error("memfd");
}

Machine::~Machine()
{
    for (auto &s : slots_)
        close_slot(s);
    close(file_);
    close(fail_nth_);
}

std::string Machine::run(const Program &program, const Visitor &visit)
{
    visit_ = &visit;
    std::string problem;
    for (const auto &op : program) {
        memory_.clear();
        problem = run_one(op);
        if (!problem.empty()) {
            problem = std::string(name(op.kind)) + ": " + problem;
            break;
        }
    }
    for (auto &s : slots_)
        close_slot(s);
    fail_ = 0;
    if (link_changed_)
        reset_link();
    link_changed_ = false;
    return problem;
}

// Runs the system calls of an operation: where they came to counts, and what
// fails fails in them.
template <typename Call> Machine::Outcome Machine::observe(Call call)
{
    // A signal's frame is a copy as well, and the process would die of it
    sigset_t alarm, before;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    if (fail_ != 0)
        sigprocmask(SIG_BLOCK, &alarm, &before);
    const bool is_blocked = fail_ != 0;
    if (fail_ != 0 && fail_nth_ >= 0) {
        const std::string n = std::to_string(fail_);
        if (pwrite(fail_nth_, n.data(), n.size(), 0) < 0)
            fail_ = 0;
    }
    if (coverage_ != nullptr)
        coverage_->clear();
    const long ret = call();
    const int err = ret < 0 ? errno : 0;
    if (coverage_ != nullptr)
        (*visit_)(coverage_->places());
    // which is a copy from user space as well
    while (fail_ != 0 && pwrite(fail_nth_, "0", 1, 0) < 0)
        continue;
    fail_ = 0;
    if (is_blocked)
        sigprocmask(SIG_SETMASK, &before, nullptr);
    return {ret, err};
}

Machine::Slot &Machine::slot(uint64_t number)
{
    auto &s = slots_[number % slots_.size()];
    if (s.fd < 0)
        open_slot(s, number % slots_.size());
    return s;
}

void Machine::open_slot(Slot &slot, uint64_t number)
{
    close_slot(slot);
    Choice choice(number);
    size_t kind = choice.of(2);
    if (choice.of(4) == 3)
        kind = choice.of(std::size(socket_kinds));
    const auto &k = socket_kinds[kind];
    slot.has_groups = kind < 2;
    // what is no UDP socket could wait for long
    slot.fd =
        socket(k.family, k.type | SOCK_CLOEXEC | (slot.has_groups ? 0 : SOCK_NONBLOCK), k.protocol);
    if (slot.fd < 0) {
        slot = {};
        return;
    }
    timeval timeout{.tv_sec = 0, .tv_usec = 20000};
    setsockopt(slot.fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (slot.has_groups)
        slot.view = look_at(slot.fd);
}

void Machine::close_slot(Slot &slot)
{
    if (slot.fd >= 0)
        close(slot.fd);
    slot = {};
}

std::string Machine::unchanged(Slot &slot, Change change)
{
    if (!slot.has_groups)
        return "";
    View before = std::move(slot.view);
    slot.view = look_at(slot.fd);
    std::string problem = compare_members(before, slot.view);
    if (problem.empty())
        problem = change == Change::Sent ? check_totals(before, slot.view)
                                         : compare_totals(before, slot.view);
    if (problem.empty() && before.flags != slot.view.flags)
        problem = "the flags are others";
    return problem;
}

std::string Machine::run_one(const Operation &op)
{
    const auto &n = op.numbers;
    if (op.kind == Kind::Fail) {
        fail_ = 1 + n[0] % 60;
        return "";
    }
    if (op.kind == Kind::Socket) {
        auto &s = slots_[n[0] % slots_.size()];
        open_slot(s, n[1]);
        fail_ = 0;
        return "";
    }
    // Only where groups allocate and copy themselves: on its way to a device a
    // datagram meets reference trackers, which complain of missing memory
    if (op.kind != Kind::Set && op.kind != Kind::Get && op.kind != Kind::Flags)
        fail_ = 0;
    auto &s = slot(n[0]);
    switch (op.kind) {
    case Kind::Set:
        return set(s, op);
    case Kind::Get:
        return get(s, op);
    case Kind::Flags:
        return set_flags(s, op);
    case Kind::Send:
        return send(s, op);
    default:
        return other(s, op);
    }
}

std::string Machine::set(Slot &slot, const Operation &op)
{
    const auto &n = op.numbers;
    const int option = group_options[n[1] % std::size(group_options)];
    auto given = addresses(op);
    const size_t len = length(n[5], given.size());
    const auto placed = memory_.place(n[6], given, len);
    auto outcome = observe([&] {
        return setsockopt(slot.fd, SOL_SOCKET, option, placed.at, static_cast<socklen_t>(len));
    });
    if (outcome.err != 0)
        return is_documented_set(option, slot.has_groups, outcome.err)
                   ? unchanged(slot, Change::None)
                   : undocumented(outcome.err);
    if (!slot.has_groups)
        return "a group on a socket that has none";
    if (!placed.can_read)
        return "taken from where nothing can be read";
    // As the kernel saw them: it can be cut after an address, or have what
    // happened to be behind it.
    given.assign(static_cast<std::byte *>(placed.at), static_cast<std::byte *>(placed.at) + len);
    return check_set(slot, option, given, count_addresses(given));
}

// A change that was made is one, and the one that was asked for.
std::string Machine::check_set(Slot &slot, int option, std::span<const std::byte> given,
                               size_t count)
{
    const View before = std::move(slot.view);
    slot.view = look_at(slot.fd);
    const auto &totals = slot.view.totals;
    const bool is_change = count != 0 || before.totals.members != 0;
    if (totals.generation != before.totals.generation + (is_change ? 1 : 0))
        return "the generation was " + std::to_string(before.totals.generation) + " and is " +
               std::to_string(totals.generation);
    if (slot.view.flags != before.flags)
        return "the flags are others";

    size_t members = count;
    if (option == SO_ADDGRP)
        members = before.totals.members + count;
    else if (option == SO_DELGRP)
        members = before.totals.members - count;
    if (totals.members != members)
        return std::to_string(totals.members) + " members and not " + std::to_string(members);
    if (option == SO_SETGRP && slot.view.members != read_back(given))
        return "the members are not those that were given";
    return compare_totals(before, slot.view);
}

std::string Machine::get(Slot &slot, const Operation &op)
{
    const auto &n = op.numbers;
    const int option = read_options[n[1] % std::size(read_options)];
    std::vector<std::byte> request;
    size_t truth = slot.view.members.size();
    if (option == SO_GRPSTAT) {
        udp_grpstat head{};
        head.size = static_cast<uint32_t>(length(n[4], sizeof(head)));
        head.member_size = n[5] == 0 ? 0 : static_cast<uint32_t>(length(n[5], 72));
        head.first_slot = n[6] % 3 == 0 ? 0 : static_cast<uint32_t>(n[6] / 3);
        head.records = n[7] % 16 == 15 ? 1 : 0;
        auto bytes = std::as_bytes(std::span(&head, 1));
        request.assign(bytes.begin(), bytes.end());
        truth = sizeof(head) + n[8] % 70 * sizeof(udp_grpstat_member);
    } else if (option == SO_GRPFLAGS) {
        truth = sizeof(uint32_t);
    }
    auto len = static_cast<socklen_t>(length(n[2], truth));
    const auto placed = memory_.place(n[3], request, len);
    auto bytes = std::as_bytes(std::span(&len, 1));
    const auto placed_len = memory_.place(n[3] >> 32, bytes, sizeof(len));
    auto outcome = observe([&] {
        return getsockopt(slot.fd, SOL_SOCKET, option, placed.at,
                          static_cast<socklen_t *>(placed_len.at));
    });
    if (outcome.err != 0)
        return is_documented_get(option, slot.has_groups, outcome.err)
                   ? unchanged(slot, Change::None)
                   : undocumented(outcome.err);
    if (!placed_len.can_write)
        return "the length was written where nothing can be";
    if (!slot.has_groups)
        return "an answer from a socket that has no group";
    std::memcpy(&len, placed_len.at, sizeof(len));
    if (len != 0 && !placed.can_write && static_cast<size_t>(len) > 4096)
        return "an answer where nothing can be written";
    if (option == SO_SETGRP && len != slot.view.members.size())
        return "an answer of another length than the members'";
    return unchanged(slot, Change::None);
}

std::string Machine::set_flags(Slot &slot, const Operation &op)
{
    const auto &n = op.numbers;
    const auto flags = static_cast<uint32_t>(n[1] % 4 == 3 ? n[1] / 4 : n[1] % 4 % 2);
    const size_t len = length(n[2], sizeof(flags));
    const auto placed = memory_.place(n[3], std::as_bytes(std::span(&flags, 1)), len);
    auto outcome = observe([&] {
        return setsockopt(slot.fd, SOL_SOCKET, SO_GRPFLAGS, placed.at, static_cast<socklen_t>(len));
    });
    if (outcome.err != 0)
        return is_documented_set(SO_GRPFLAGS, slot.has_groups, outcome.err)
                   ? unchanged(slot, Change::None)
                   : undocumented(outcome.err);
    if (!placed.can_read || !slot.has_groups)
        return "flags that cannot be";
    std::memcpy(&slot.view.flags, placed.at, sizeof(slot.view.flags));
    return unchanged(slot, Change::None);
}

std::string Machine::send(Slot &slot, const Operation &op)
{
    const auto &n = op.numbers;
    Choice form(n[1]);
    const int flags = send_flags(n[2]);
    const size_t len = data_length(n[3]);
    Outcome outcome{};
    switch (form.of(12)) {
    case 0: {
        const auto placed = memory_.place(n[5], {}, len);
        outcome = observe([&] { return ::send(slot.fd, placed.at, len, flags); });
        break;
    }
    case 1: {
        const auto placed = memory_.place(n[5], {}, len);
        outcome = observe([&] { return write(slot.fd, placed.at, len); });
        break;
    }
    case 2:
        outcome = send_by_pipe(slot, len % 65536, n[2] % 2 == 1);
        break;
    case 3:
        outcome = send_file(slot, len);
        break;
    default:
        outcome = send_message(slot, op, flags, len);
    }
    if (outcome.err == 0)
        return unchanged(slot, Change::Sent);
    if (slot.has_groups && !is_documented_send(outcome.err))
        return undocumented(outcome.err);
    return unchanged(slot, Change::None);
}

// sendmsg(), sendmmsg() and io_uring, with all that a message can have.
Machine::Outcome Machine::send_message(const Slot &slot, const Operation &op, int flags, size_t len)
{
    const auto &n = op.numbers;
    const auto messages = control(std::span(n).subspan(6, 4), n[10], slot.view.totals.generation);
    const auto data = memory_.place(n[5], {}, len);
    const auto placed = memory_.place(n[10] >> 40, messages, messages.size());

    msghdr msg{};
    msg.msg_control = messages.empty() ? nullptr : placed.at;
    msg.msg_controllen = messages.size();
    Choice dest(n[4]);
    const size_t how = dest.of(8);
    const auto to = address(dest.rest());
    if (how == 5 || how == 6) {
        msg.msg_name = memory_.place(0, to, to.size()).at;
        msg.msg_namelen = static_cast<socklen_t>(to.size());
    } else if (how == 7) {
        const size_t name_len = length(dest.rest(), to.size());
        msg.msg_name = memory_.place(dest.rest() >> 8, to, name_len).at;
        msg.msg_namelen = static_cast<socklen_t>(name_len);
    }

    // In one piece, or in some, which need not be aligned
    std::vector<iovec> pieces;
    const size_t count = n[1] / 12 % 8 == 1 ? 2 + n[1] / 96 % 20 : 1;
    auto *at = static_cast<std::byte *>(data.at);
    for (size_t i = 0; i < count; i++) {
        const size_t from = len * i / count, to_end = len * (i + 1) / count;
        pieces.push_back({at + from, to_end - from});
    }
    msg.msg_iov = pieces.data();
    msg.msg_iovlen = pieces.size();

    const size_t form = n[1] % 12;
    if (form > 9)
        return observe([&] { return ring_.send(form + n[1] / 12 % 2 * 2, slot.fd, msg, flags); });
    if (form > 5)
        return observe([&] { return ::sendmsg(slot.fd, &msg, flags); });
    std::array<mmsghdr, 4> many{};
    for (auto &m : many)
        m.msg_hdr = msg;
    return observe([&] {
        return ::sendmmsg(slot.fd, many.data(), static_cast<unsigned>(many.size()), flags);
    });
}

Machine::Outcome Machine::send_by_pipe(const Slot &slot, size_t len, bool more)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return {-1, EAGAIN};
    iovec piece{memory_.place(0, {}, len).at, len};
    auto outcome = observe([&]() -> long {
        const ssize_t n = vmsplice(ends[1], &piece, 1, SPLICE_F_NONBLOCK);
        if (n <= 0)
            return n;
        return splice(ends[0], nullptr, slot.fd, nullptr, static_cast<size_t>(n),
                      SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0));
    });
    close(ends[0]);
    close(ends[1]);
    return outcome;
}

Machine::Outcome Machine::send_file(const Slot &slot, size_t len)
{
    off_t offset = 0;
    return observe([&] { return sendfile(slot.fd, file_, &offset, len); });
}

// What is around a group, and changes nothing of it.
std::string Machine::other(Slot &slot, const Operation &op)
{
    const auto &n = op.numbers;
    const auto addr = address(n[1]);
    const auto *sa = reinterpret_cast<const sockaddr *>(addr.data());
    const auto len = static_cast<socklen_t>(addr.size());
    switch (op.kind) {
    case Kind::Option:
        observe([&] { return set_option(slot.fd, n[1], n[2]); });
        break;
    case Kind::Connect:
        observe([&] {
            const sockaddr none{};
            return n[2] % 3 == 1 ? connect(slot.fd, &none, sizeof(none))
                                 : connect(slot.fd, sa, len);
        });
        break;
    case Kind::Bind:
        observe([&] { return bind(slot.fd, sa, len); });
        break;
    case Kind::Receive: {
        char data[256];
        observe([&] {
            return recv(slot.fd, data, sizeof(data),
                        MSG_DONTWAIT | (n[1] % 4 != 3 ? MSG_ERRQUEUE : 0));
        });
        break;
    }
    case Kind::Shut:
        observe([&] { return shutdown(slot.fd, static_cast<int>(n[1] % 4)); });
        break;
    case Kind::Link:
        observe([&] {
            change_link(n[1]);
            return 0;
        });
        link_changed_ = true;
        break;
    default:
        observe([&] {
            close_slot(slot);
            return 0;
        });
    }
    return unchanged(slot, Change::None);
}

} // namespace fuzz
