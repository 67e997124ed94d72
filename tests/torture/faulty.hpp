// SPDX-License-Identifier: GPL-2.0-only
// What is done while something fails: each change of the group, each way of reading
// it, each form of a send.
#pragma once

#include "../selftests/messages.hpp"
#include "subject.hpp"

#include <functional>

namespace torture {

using selftest::Control;

// A CPU keeps the sk_buffs that a send has left over, fewer than these: to so many
// members each send allocates some.
constexpr size_t never_left_over = 10;

struct Faulty {
    std::string name;
    std::vector<int> errnos;
    std::function<long(Subject &)> call;
    long success = 0;
    bool has_group = true; // before
    // the members afterwards, if it is a change
    std::function<std::string(const Subject &)> after = nullptr;
    size_t datagrams = 1; // of each member, if it is a send
    bool sends = false;
    size_t members = 4;
    bool behind_device = false;
    long messages = 1; // in one call; of more than one it says how many it has sent
    std::function<void(Subject &)> prepare = nullptr; // without a fault
};

inline std::ostream &operator<<(std::ostream &out, const Faulty &op) { return out << op.name; }

inline const std::string joining = packed("127.0.0.1", 9);

inline std::vector<Faulty> faulty_options()
{
    auto option = [](int name, std::string value) {
        return [=](Subject &s) { return change(s.fd.get(), name, value); };
    };
    auto many = [] {
        std::string addrs;
        for (uint16_t i = 0; i < 20; i++)
            addrs += packed("127.0.0.2", static_cast<uint16_t>(1000 + i));
        return addrs;
    }();
    const std::vector<int> sets = {ENOMEM, EFAULT}, reads = {EFAULT};
    const uint32_t count = GRP_F_COUNT;
    const std::string flags(reinterpret_cast<const char *>(&count), sizeof(count));
    auto read = [](int name, size_t room, uint32_t records) {
        return [=](Subject &s) {
            alignas(8) char buf[1000] = {};
            udp_grpstat stat{};
            stat.size = sizeof(stat);
            stat.member_size = records ? sizeof(udp_grpstat_member) : 0;
            memcpy(buf, &stat, sizeof(stat));
            auto len = static_cast<socklen_t>(room);
            return result(getsockopt(s.fd.get(), SOL_SOCKET, name, buf, &len));
        };
    };
    return {
        {"SetFirst", sets, option(SO_SETGRP, joining), 0, false,
         [](const Subject &) { return joining; }},
        {"SetMany", sets, option(SO_SETGRP, many), 0, true, [=](const Subject &) { return many; }},
        {"Dissolve", sets, option(SO_SETGRP, ""), 0, true,
         [](const Subject &) { return std::string(); }},
        {"AddFirst", sets, option(SO_ADDGRP, joining), 0, false,
         [](const Subject &) { return joining; }},
        {"Add", sets, option(SO_ADDGRP, joining), 0, true,
         [](const Subject &s) { return s.all + joining; }},
        {"AddMany", sets, option(SO_ADDGRP, many), 0, true,
         [=](const Subject &s) { return s.all + many; }},
        {"Delete", sets,
         [](Subject &s) { return change(s.fd.get(), SO_DELGRP, s.receivers[1].address()); }, 0,
         true,
         [](const Subject &s) {
             return s.receivers[0].address() + s.receivers[2].address() + s.receivers[3].address();
         }},
        {"DeleteAll", sets, [](Subject &s) { return change(s.fd.get(), SO_DELGRP, s.all); }, 0,
         true, [](const Subject &) { return std::string(); }},
        {"Get", reads, read(SO_SETGRP, 1000, 0)},
        {"Stat", reads, read(SO_GRPSTAT, sizeof(udp_grpstat), 0)},
        {"StatRecords", reads, read(SO_GRPSTAT, 1000, 1)},
        {"Flags", sets, option(SO_GRPFLAGS, flags)},
        {"FlagsFirst", sets, option(SO_GRPFLAGS, flags), 0, false},
        {"FlagsGet", reads, read(SO_GRPFLAGS, 4, 0)},
    };
}

// A sendmsg() whose control messages are made for the subject.
inline Faulty send_of(std::string name, size_t length, int flags = 0,
                      std::function<Control(Subject &)> control = nullptr, size_t datagrams = 1)
{
    Faulty op{std::move(name), {ENOMEM, ENOBUFS, EFAULT}, nullptr, static_cast<long>(length)};
    op.sends = true;
    op.datagrams = datagrams;
    op.call = [=](Subject &s) {
        // one piece for each of many: the vector is copied, too, and allocated
        static char bytes[65536];
        iovec iov[16];
        for (size_t i = 0; i < 16; i++)
            iov[i] = {bytes + i * (length / 16),
                      i < 15 ? length / 16 : length - 15 * (length / 16)};
        Control c = control ? control(s) : Control();
        msghdr msg{};
        msg.msg_iov = iov;
        msg.msg_iovlen = 16;
        msg.msg_control = c.size() ? c.data() : nullptr;
        msg.msg_controllen = c.size();
        return result(sendmsg(s.fd.get(), &msg, flags));
    };
    return op;
}

inline std::vector<Faulty> faulty_sends()
{
    std::vector<Faulty> ops;
    for (auto [path, flags] : {std::pair("Fast", 0), {"True", int{MSG_CONFIRM}}}) {
        const size_t members = flags ? 4 : never_left_over;
        const std::string prefix = path;
        auto add = [&](const char *name, auto... args) {
            ops.push_back(send_of(prefix + name, args...));
            ops.back().members = members;
        };
        add("Send", size_t{100}, flags);
        add("Long", size_t{20000}, flags);
        add("Skip", size_t{100}, flags, [](Subject &s) {
            const auto &who = s.receivers[2].address();
            return Control().add_raw(SOL_UDP, UDP_GRP_SKIP, who.data(), who.size());
        });
        add("Range", size_t{100}, flags, [](Subject &) { return Control().range(1, 3); });
        add("Private", members * 20 + 60, flags,
            [](Subject &s) { return Control().own(s.generation, 20); });
        add("LongPrivate", members * 600 + 3000, flags,
            [](Subject &s) { return Control().own(s.generation, 600); });
        add("Spread", size_t{100}, flags, [](Subject &) { return Control().spread(4000); });
        add("Ttl", size_t{100}, flags, [](Subject &) { return Control().add(SOL_IP, IP_TTL, 9); });
    }
    ops.push_back(send_of(
        "Segments", 4000, 0,
        [](Subject &) { return Control().add(SOL_UDP, UDP_SEGMENT, uint16_t{1000}); }, 4));
    ops.push_back(send_of("Zerocopy", 4000, MSG_ZEROCOPY));
    Faulty explicit_one = send_of("Explicit", 100);
    explicit_one.sends = false; // no business of the group's
    explicit_one.call = [](Subject &s) {
        char bytes[100] = {};
        auto to = s.receivers[0].address();
        return result(sendto(s.fd.get(), bytes, sizeof(bytes), 0, as_sockaddr(to),
                             static_cast<socklen_t>(to.size())));
    };
    ops.push_back(explicit_one);
    return ops;
}

// By what else there is than sendmsg().
inline std::vector<Faulty> other_ways()
{
    static char bytes[4000];
    constexpr size_t length = 1000;
    std::vector<Faulty> ops;
    auto add = [&](const char *name, std::function<long(Subject &)> call,
                   long success) -> Faulty & {
        ops.push_back(send_of(name, length));
        ops.back().call = std::move(call);
        ops.back().success = success;
        ops.back().members = never_left_over;
        return ops.back();
    };
    add(
        "Write", [=](Subject &s) { return result(write(s.fd.get(), bytes, length)); }, length);
    add(
        "Sendmmsg",
        [=](Subject &s) {
            iovec iov{bytes, length};
            mmsghdr messages[2] = {};
            for (auto &m : messages) {
                m.msg_hdr.msg_iov = &iov;
                m.msg_hdr.msg_iovlen = 1;
            }
            return result(sendmmsg(s.fd.get(), messages, 2, 0));
        },
        2)
        .messages = 2;
    add(
        "Splice",
        [=](Subject &s) {
            return result(splice(s.pipe_out.get(), nullptr, s.fd.get(), nullptr, length, 0));
        },
        length)
        .prepare = [=](Subject &s) {
        int ends[2];
        ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
        s.pipe_out = Fd(ends[0]);
        s.pipe_in = Fd(ends[1]);
        ASSERT_EQ(write(ends[1], bytes, length), static_cast<ssize_t>(length));
    };
    const std::pair<const char *, void (*)(io_uring_sqe *, int)> by_ring[] = {
        {"Ring", [](io_uring_sqe *sqe, int fd) { io_uring_prep_send(sqe, fd, bytes, length, 0); }},
        {"RingZerocopy",
         [](io_uring_sqe *sqe, int fd) { io_uring_prep_send_zc(sqe, fd, bytes, length, 0, 0); }},
    };
    for (const auto &[name, fill] : by_ring) {
        // a new ring has nothing left over from before
        auto prepare = [](Subject &s) {
            ASSERT_EQ(io_uring_queue_init(4, &s.ring, 0), 0);
            s.has_ring = true;
        };
        auto call = [fill = fill](Subject &s) -> long {
            fill(io_uring_get_sqe(&s.ring), s.fd.get());
            if (int submitted = io_uring_submit(&s.ring); submitted < 0)
                return submitted;
            io_uring_cqe *cqe = nullptr;
            // no system call, which could fail instead, if it is there already
            if (!selftest::eventually([&] { return io_uring_peek_cqe(&s.ring, &cqe) == 0; }))
                return -ETIMEDOUT;
            long is = cqe->res;
            io_uring_cqe_seen(&s.ring, cqe);
            return is;
        };
        auto &op = add(name, call, length);
        op.prepare = prepare;
        op.errnos.push_back(EAGAIN); // for requests there is no memory
    }
    return ops;
}

inline std::vector<Faulty> faulty_operations()
{
    auto ops = faulty_options();
    auto all_sends = faulty_sends();
    for (auto &op : other_ways())
        all_sends.push_back(op);
    for (const auto &op : all_sends)
        ops.push_back(op);
    // the same way through a queue; what the group's forms differ in is before that
    for (auto &op : all_sends) {
        if (op.name.starts_with("Fast") || op.name.starts_with("True"))
            if (!op.name.ends_with("Send") && op.name != "FastLong" && op.name != "FastPrivate" &&
                op.name != "FastSpread")
                continue;
        op.name += "Queued";
        op.behind_device = true;
        ops.push_back(op);
    }
    return ops;
}

} // namespace torture
