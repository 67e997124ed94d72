// SPDX-License-Identifier: GPL-2.0-only
// What may differ between what sendto() sends and what a group sends, and what
// must hold of it. There is no other place where a difference is allowed.
#pragma once

#include "tap.hpp"

namespace conformance {

// Compares, in the order they came in or, if devices may change that, in the
// order that each destination saw. Says what differs as failures of the test.
void expect_same_frames(const std::vector<Frame> &one, const std::vector<Frame> &group,
                        bool ordered);

} // namespace conformance
