// SPDX-License-Identifier: GPL-2.0-only
#include "cases.hpp"

namespace conformance {

void expect_conformant(Mirror &mirror, const Addresses &members, const Case &c)
{
    SCOPED_TRACE(c.name);
    Duel duel(mirror, members, c.setup);
    for (size_t size : {Case::small, Case::shared, Case::small})
        duel.send({.data = pattern(size), .control = c.control, .flags = c.flags},
                  c.fast ? duel.all_fast(c.device) : duel.all_true(1, c.device));
}

void expect_conformant(Mirror &mirror, const Addresses &members, const std::vector<Case> &cases)
{
    for (bool sum : {true, false}) {
        SCOPED_TRACE(sum ? "checksum offloaded" : "checksum not offloaded");
        mirror.checksum("near", sum);
        for (const auto &c : cases)
            expect_conformant(mirror, members, c);
    }
    mirror.checksum("near", true);
}

} // namespace conformance
