// SPDX-License-Identifier: GPL-2.0-only
// Every single allocation and copy of every operation fails once. What then fails
// says so by the right errno and has changed nothing; what does not has counted
// whom it did not reach. Either way the socket goes on. Leaks the guest looks for.

#include "../selftests/messages.hpp"
#include "endpoint.hpp"
#include "faults.hpp"

#include <linux/net_tstamp.h>
#include <sys/mman.h>

#include <functional>
#include <memory>

namespace torture {
namespace {

using selftest::Control;

// A CPU keeps the sk_buffs that a send has left over, fewer than these: to so many
// members each send allocates some.
constexpr size_t never_left_over = 10;

// A socket with a group, and those who are in it.
struct Subject {
    Subject(int family, size_t members) : fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    {
        for (size_t i = 0; i < members; i++)
            receivers.emplace_back(family == AF_INET6 && i % 2 ? "::1" : "127.0.0.1");
        for (const auto &r : receivers)
            all += r.address();
        sock_txtime txtime{.clockid = CLOCK_MONOTONIC, .flags = 0};
        int on = 1;
        setsockopt(fd.get(), SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime));
        setsockopt(fd.get(), SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on));
    }
    udp_grpstat totals() const
    {
        udp_grpstat stat{};
        stat.size = sizeof(stat);
        socklen_t len = sizeof(stat);
        EXPECT_EQ(result(getsockopt(fd.get(), SOL_SOCKET, SO_GRPSTAT, &stat, &len)), 0);
        return stat;
    }
    std::string members() const
    {
        std::string bytes(10000, '\0');
        auto len = static_cast<socklen_t>(bytes.size());
        EXPECT_EQ(result(getsockopt(fd.get(), SOL_SOCKET, SO_SETGRP, bytes.data(), &len)), 0);
        bytes.resize(len);
        return bytes;
    }
    // Datagrams that have arrived.
    size_t arrived() const
    {
        size_t n = 0;
        for (const auto &r : receivers)
            while (r.next())
                n++;
        return n;
    }

    Fd fd;
    std::vector<Endpoint> receivers;
    std::string all;
    uint64_t generation = 0; // before the operation
};

struct Operation {
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
};

std::ostream &operator<<(std::ostream &out, const Operation &op) { return out << op.name; }

const std::string joining = packed("127.0.0.1", 9);

std::vector<Operation> options()
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
Operation send_of(std::string name, size_t length, int flags = 0,
                  std::function<Control(Subject &)> control = nullptr, size_t datagrams = 1)
{
    Operation op{std::move(name), {ENOMEM, ENOBUFS, EFAULT}, nullptr, static_cast<long>(length)};
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

std::vector<Operation> sends()
{
    std::vector<Operation> ops;
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
    Operation explicit_one = send_of("Explicit", 100);
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

std::vector<Operation> operations()
{
    auto ops = options();
    for (auto &op : sends())
        ops.push_back(op);
    return ops;
}

class Faults : public testing::TestWithParam<std::tuple<int, Operation>> {
protected:
    static void SetUpTestSuite()
    {
        ns_ = std::make_unique<selftest::NetNs>();
        with_ip6();
        arm_all_faults();
        // a page that comes late would be an allocation, too
        if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
            throw std::runtime_error("mlockall");
    }
    static void TearDownTestSuite()
    {
        munlockall();
        ns_.reset();
    }

    // How often it was that something failed. TORTURE_FAULT_STEP leaves some out.
    int walk(int family, const Operation &op)
    {
        const char *text = getenv("TORTURE_FAULT_STEP");
        const int step = text ? atoi(text) : 4;
        NthFault fault;
        Subject first(family, op.members); // what comes only once, as a patch of a jump label
        change(first.fd.get(), SO_SETGRP, first.all);
        first.generation = first.totals().generation;
        op.call(first);
        for (int nth = 1, n = 0; nth < 1000; nth += step, n++) {
            SCOPED_TRACE("fault " + std::to_string(nth));
            Subject s(family, op.members);
            if (op.has_group) {
                EXPECT_EQ(change(s.fd.get(), SO_SETGRP, s.all), 0);
            }
            const auto group = s.members();
            const auto before = s.totals();
            s.generation = before.generation;
            auto [is, failed] = fault(nth, [&] { return op.call(s); });
            const auto after = s.totals();
            bool changed = is >= 0 && op.after;
            EXPECT_EQ(s.members(), changed ? op.after(s) : group);
            EXPECT_EQ(after.generation, before.generation + changed);
            if (is < 0) {
                EXPECT_NE(std::find(op.errnos.begin(), op.errnos.end(), -is), op.errnos.end())
                    << strerror(static_cast<int>(-is));
            } else {
                EXPECT_EQ(is, op.success);
            }
            EXPECT_EQ(after.sends, before.sends + (op.sends && is >= 0));
            if (op.sends)
                check_send(s, op, is, failed);
            EXPECT_TRUE(failed || is >= 0) << "without a fault: " << is;
            check_usable(s);
            if (HasFailure() || !failed)
                return n;
        }
        ADD_FAILURE() << "no end of allocations";
        return 0;
    }

private:
    static void check_send(Subject &s, const Operation &op, long is, bool failed)
    {
        auto t = s.totals();
        EXPECT_EQ(s.arrived(), t.sent * op.datagrams);
        if (is < 0)
            return;
        uint64_t range = op.name.find("Range") == std::string::npos ? op.members : 3;
        EXPECT_EQ(t.sent + t.failed + t.skipped + t.unreached, range);
        EXPECT_TRUE(failed || t.failed + t.unreached == 0);
        EXPECT_LE(t.failed, 1u) << "one fault, one member";
    }
    // All of a new group get the next one.
    static void check_usable(Subject &s)
    {
        EXPECT_EQ(change(s.fd.get(), SO_SETGRP, s.all), 0);
        s.arrived();
        auto before = s.totals();
        const auto members = s.receivers.size();
        const std::string bytes(members, 'a'); // as many as slots
        EXPECT_EQ(result(send(s.fd.get(), bytes.data(), members, 0)), static_cast<long>(members));
        EXPECT_EQ(s.totals().sent, before.sent + members);
        EXPECT_EQ(s.arrived(), members);
    }
    static inline std::unique_ptr<selftest::NetNs> ns_;
};

TEST_P(Faults, AreSurvived)
{
    auto [family, op] = GetParam();
    int faults = walk(family, op);
    EXPECT_TRUE(faults > 0 || op.name == "Dissolve") << "nothing could fail";
    RecordProperty("faults", faults);
    printf("faults survived: %d\n", faults);
}

INSTANTIATE_TEST_SUITE_P(Of, Faults,
                         testing::Combine(testing::Values(AF_INET, AF_INET6),
                                          testing::ValuesIn(operations())),
                         [](const auto &p) {
                             return std::get<1>(p.param).name +
                                    (std::get<0>(p.param) == AF_INET ? "" : "6");
                         });

} // namespace
} // namespace torture
