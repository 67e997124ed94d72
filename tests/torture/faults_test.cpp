// SPDX-License-Identifier: GPL-2.0-only
// Every single allocation and copy of every operation fails once. What then fails
// says so by the right errno and has changed nothing; what does not has counted
// whom it did not reach. Either way the socket goes on. Leaks the guest looks for.

#include "faults.hpp"
#include "faulty.hpp"

#include <sys/mman.h>

namespace torture {
namespace {

// What a fault may be told by: of an allocation, or of a copy.
bool belongs(int errnum, bool is_copy)
{
    return is_copy ? errnum == EFAULT : errnum == ENOMEM || errnum == ENOBUFS || errnum == EAGAIN;
}

class Faults : public testing::TestWithParam<std::tuple<int, Faulty>> {
protected:
    static void SetUpTestSuite()
    {
        network_ = std::make_unique<Network>();
        arm_all_faults();
        // a page that comes late would be an allocation, too
        if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
            throw std::runtime_error("mlockall");
    }
    static void TearDownTestSuite()
    {
        munlockall();
        network_.reset();
    }

    // How often it was that something failed. TORTURE_FAULT_STEP leaves some out.
    int walk(int family, const Faulty &op)
    {
        const char *text = getenv("TORTURE_FAULT_STEP");
        const int step = text ? atoi(text) : 4;
        NthFault fault;
        Subject first(*network_, op.behind_device, family, op.members);
        // what comes only once, as a patch of a jump label
        change(first.fd.get(), SO_SETGRP, first.all);
        first.generation = first.totals().generation;
        if (op.prepare)
            op.prepare(first);
        op.call(first);
        for (int nth = 1, n = 0; nth < 1000; nth += step, n++) {
            SCOPED_TRACE("fault " + std::to_string(nth));
            Subject s(*network_, op.behind_device, family, op.members);
            network_->forget();
            if (op.prepare)
                op.prepare(s);
            if (op.has_group) {
                EXPECT_EQ(change(s.fd.get(), SO_SETGRP, s.all), 0);
            }
            const auto group = s.members();
            const auto before = s.totals();
            s.generation = before.generation;
            auto [is, failed, is_copy] = fault(nth, [&] { return op.call(s); });
            const auto after = s.totals();
            bool changed = is >= 0 && op.after;
            EXPECT_EQ(s.members(), changed ? op.after(s) : group);
            EXPECT_EQ(after.generation, before.generation + changed);
            if (is < 0) {
                EXPECT_NE(std::find(op.errnos.begin(), op.errnos.end(), -is), op.errnos.end())
                    << strerror(static_cast<int>(-is));
                EXPECT_TRUE(belongs(static_cast<int>(-is), is_copy))
                    << strerror(static_cast<int>(-is)) << (is_copy ? " after a copy" : "");
            } else if (op.messages > 1 && failed) {
                EXPECT_GE(is, 1);
                EXPECT_LE(is, op.success);
            } else {
                EXPECT_EQ(is, op.success);
            }
            const long told = op.messages > 1 ? std::max(is, 0L) : is >= 0;
            EXPECT_EQ(after.sends, before.sends + static_cast<uint64_t>(op.sends ? told : 0));
            if (op.sends)
                check_send(s, op, is, told, failed);
            EXPECT_TRUE(failed || is >= 0) << "without a fault: " << is;
            check_usable(s);
            if (HasFailure() || !failed)
                return n;
        }
        ADD_FAILURE() << "no end of allocations";
        return 0;
    }

private:
    static void check_send(Subject &s, const Faulty &op, long is, long told, bool failed)
    {
        auto t = s.totals();
        EXPECT_EQ(s.arrived(t.sent * op.datagrams), t.sent * op.datagrams);
        if (is < 0)
            return;
        uint64_t range = op.name.find("Range") == std::string::npos ? op.members : 3;
        EXPECT_EQ(t.sent + t.failed + t.skipped + t.unreached, range * static_cast<uint64_t>(told));
        EXPECT_TRUE(failed || t.failed + t.unreached == 0);
        EXPECT_LE(t.failed, 1u) << "one fault, one member";
    }
    // All of a new group get the next one.
    static void check_usable(Subject &s)
    {
        EXPECT_EQ(change(s.fd.get(), SO_SETGRP, s.all), 0);
        s.arrived(0);
        auto before = s.totals();
        const auto members = s.receivers.size();
        const std::string bytes(members, 'a'); // as many as slots
        EXPECT_EQ(result(send(s.fd.get(), bytes.data(), members, 0)), static_cast<long>(members));
        EXPECT_EQ(s.totals().sent, before.sent + members);
        EXPECT_EQ(s.arrived(members), members);
    }
    static inline std::unique_ptr<Network> network_;
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
                                          testing::ValuesIn(faulty_operations())),
                         [](const auto &p) {
                             return std::get<1>(p.param).name +
                                    (std::get<0>(p.param) == AF_INET ? "" : "6");
                         });

} // namespace
} // namespace torture
