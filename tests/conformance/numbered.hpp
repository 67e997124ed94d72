// SPDX-License-Identifier: GPL-2.0-only
// Many sends in a row, of datagrams that say which send they are of.
#pragma once

#include "mirror.hpp"

namespace conformance {

// Each member has each datagram once, whole and in the order of the sends, wherever
// its device leads: so many members are to be seen at each of the taps.
void expect_each_in_order(World &world, const Addresses &members,
                          const std::map<std::string, size_t> &seen_at, uint32_t sends);

} // namespace conformance
