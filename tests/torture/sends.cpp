// SPDX-License-Identifier: GPL-2.0-only
// Sends in every form there is.

#include "operation.hpp"

#include <netinet/udp.h>

namespace torture {
namespace {

using selftest::Control;
using Errnos = std::set<int>;

// What a send to the group can answer. If it has just been dissolved it needs a
// destination; the pending errors are those of ICMP that came while there was none.
const Errnos to_group = {EAGAIN, EINTR, EDESTADDRREQ, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH};
// Of a socket that can be connected, corked or shut down, as an ordinary send.
const Errnos ordinary = {EOPNOTSUPP, EPIPE, EINVAL,   ENOBUFS,  ENODEV,      EADDRNOTAVAIL,
                         EACCES,     EPERM, EMSGSIZE, ENETDOWN, EAFNOSUPPORT};

Errnos errnos(const Act &a, std::initializer_list<int> more = {})
{
    Errnos all = to_group;
    all.insert(more);
    if (!a.victim->is_counted())
        all.insert(ordinary.begin(), ordinary.end());
    return all;
}

std::string data(Act &a)
{
    const size_t sizes[] = {0, 1, 30, 100, 1000, 1400, 3000, 20000};
    std::string bytes(sizes[a.pick(8)], 's');
    return bytes;
}

int flags(Act &a)
{
    const int some[] = {0, 0, 0, MSG_DONTWAIT, MSG_DONTWAIT, MSG_CONFIRM, MSG_DONTROUTE};
    return some[a.pick(7)];
}

void count(Act &a, const char *what, long sent, std::initializer_list<int> more = {})
{
    a.victim->passed(a.census.count(what, sent, errnos(a, more)));
}

// A message without a destination.
struct Piece {
    explicit Piece(std::string bytes, Control messages = {})
        : data(std::move(bytes)), control(std::move(messages))
    {
        iov = {data.data(), data.size()};
        msg.msg_iov = &iov;
        msg.msg_iovlen = 1;
        msg.msg_control = control.size() ? control.data() : nullptr;
        msg.msg_controllen = control.size();
    }
    Piece(const Piece &) = delete;
    Piece &operator=(const Piece &) = delete;
    std::string data;
    Control control;
    iovec iov{};
    msghdr msg{};
};

void sendmsg_with(Act &a, const char *what, std::string bytes, Control control,
                  std::initializer_list<int> more = {})
{
    Piece piece(std::move(bytes), std::move(control));
    count(a, what, result(sendmsg(a.fd(), &piece.msg, flags(a))), more);
}

void plain(Act &a)
{
    auto bytes = data(a);
    count(a, "send", result(send(a.fd(), bytes.data(), bytes.size(), flags(a))));
}

void skip(Act &a)
{
    auto who = a.some();
    sendmsg_with(a, "send skip", data(a),
                 Control().add_raw(SOL_UDP, UDP_GRP_SKIP, who.data(), who.size()),
                 {EINVAL, ENOBUFS}); // without members nobody knows it; too many at once
}

void range(Act &a)
{
    sendmsg_with(a, "send range", data(a), Control().range(a.pick(40), a.pick(3) * a.pick(40)),
                 {EINVAL});
}

void spread(Act &a)
{
    sendmsg_with(a, "send spread", data(a), Control().spread(a.pick(20000000)), {EINVAL});
}

// Each slot's part is its member's address; those of holes are nobody's.
void own(Act &a)
{
    if (a.victim->is_corked())
        return;
    std::vector<char> bytes(sizeof(udp_grpstat) + 400 * sizeof(udp_grpstat_member));
    udp_grpstat s{};
    s.size = sizeof(s);
    s.member_size = sizeof(udp_grpstat_member);
    memcpy(bytes.data(), &s, sizeof(s));
    auto len = static_cast<socklen_t>(bytes.size());
    if (getsockopt(a.fd(), SOL_SOCKET, SO_GRPSTAT, bytes.data(), &len) < 0)
        return;
    memcpy(&s, bytes.data(), sizeof(s));
    if (!s.members || s.records != s.members)
        return;
    const size_t length = a.pick(4) ? private_length : 600;
    std::string parts(length * s.slots, 'h');
    for (uint32_t r = 0; r < s.records; r++) {
        udp_grpstat_member m;
        memcpy(&m, bytes.data() + sizeof(s) + r * sizeof(m), sizeof(m));
        std::string part(private_mark);
        part.append(reinterpret_cast<const char *>(&m.addr), sizeof(sockaddr_in6));
        part.resize(length, 's');
        parts.replace(length * m.slot, length, part);
    }
    // too long for a datagram if the group is gone
    sendmsg_with(a, "send private", parts + data(a),
                 Control().own(s.generation, static_cast<uint32_t>(length)),
                 {ESTALE, EINVAL, EMSGSIZE});
}

void segments(Act &a)
{
    sendmsg_with(a, "send segments", std::string(a.pick(4) * 1000 + 500, 's'),
                 Control().add(SOL_UDP, UDP_SEGMENT, uint16_t{1000}));
}

void zerocopy(Act &a)
{
    static const std::string bytes(4000, 's'); // stays until the last has it
    count(a, "send zerocopy", result(send(a.fd(), bytes.data(), bytes.size(), MSG_ZEROCOPY)),
          {ENOBUFS});
}

void options(Act &a)
{
    Control control;
    if (a.victim->family() == AF_INET)
        control.add(SOL_IP, IP_TTL, int{9}).add(SOL_IP, IP_TOS, static_cast<int>(a.pick(4) * 4));
    else
        control.add(SOL_IPV6, IPV6_HOPLIMIT, int{9});
    sendmsg_with(a, "send options", data(a), control);
}

// Not with a group; else it is the beginning of a datagram without a destination.
void more(Act &a)
{
    count(a, "send MSG_MORE", result(send(a.fd(), &begun_mark, 1, MSG_MORE)), {EOPNOTSUPP});
}

void many(Act &a)
{
    Piece pieces[] = {Piece(data(a)), Piece("s"), Piece(data(a), Control().range(0, 5))};
    mmsghdr messages[3] = {{pieces[0].msg, 0}, {pieces[1].msg, 0}, {pieces[2].msg, 0}};
    long sent = result(sendmmsg(a.fd(), messages, 3, flags(a)));
    a.census.count("sendmmsg", sent, errnos(a, {EINVAL}));
    for (long i = 0; i < sent; i++)
        a.victim->passed(messages[i].msg_len);
}

void by_splice(Act &a)
{
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return;
    Fd out(pipes[0]), in(pipes[1]);
    if (write(in.get(), "ssssssssssss", 12) == 12)
        count(a, "splice", result(splice(out.get(), nullptr, a.fd(), nullptr, 12, 0)),
              {EOPNOTSUPP});
}

void by_ring(Act &a)
{
    static const std::string bytes(2000, 's');
    Piece piece(bytes, Control().range(0, a.pick(30)));
    io_uring_sqe *sqe = io_uring_get_sqe(&a.ring);
    int wait = a.pick(4) ? MSG_DONTWAIT : 0;
    const char *what = "io_uring send";
    switch (a.pick(3)) {
    case 0:
        io_uring_prep_send(sqe, a.fd(), bytes.data(), 1 + a.pick(2000), wait);
        break;
    case 1:
        what = "io_uring sendmsg";
        io_uring_prep_sendmsg(sqe, a.fd(), &piece.msg, static_cast<unsigned>(wait));
        break;
    default:
        what = "io_uring send_zc";
        io_uring_prep_send_zc(sqe, a.fd(), bytes.data(), bytes.size(), wait, 0);
    }
    if (a.pick(4) == 0)
        io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
    while (io_uring_submit(&a.ring) == -EINTR)
        ;
    for (bool done = false, counted = false; !done;) {
        io_uring_cqe *cqe = nullptr;
        if (io_uring_wait_cqe(&a.ring, &cqe) < 0)
            continue; // a signal
        if (!counted)
            count(a, what, cqe->res, {EINVAL, ECANCELED});
        counted = true;
        done = !(cqe->flags & IORING_CQE_F_MORE);
        io_uring_cqe_seen(&a.ring, cqe);
    }
}

// Past the group.
void to_one(Act &a)
{
    auto to = a.one();
    auto bytes = data(a);
    Errnos may = errnos(a);
    may.insert(ordinary.begin(), ordinary.end());
    may.insert(EISCONN);
    int flags = !a.victim->is_counted() && a.pick(8) == 0 ? MSG_MORE : MSG_DONTWAIT;
    if (flags == MSG_MORE)
        bytes.insert(0, 1, begun_mark);
    a.census.count(flags == MSG_MORE ? "sendto MSG_MORE" : "sendto",
                   result(sendto(a.fd(), bytes.data(), bytes.size(), flags, as_sockaddr(to),
                                 static_cast<socklen_t>(to.size()))),
                   may);
}

} // namespace

std::vector<Operation> sends()
{
    return {{8, plain},     {4, skip},     {4, range},   {3, spread}, {6, own},
            {3, segments},  {3, zerocopy}, {3, options}, {1, more},   {3, many},
            {2, by_splice}, {4, by_ring},  {4, to_one}};
}

} // namespace torture
