// SPDX-License-Identifier: GPL-2.0-only
// A path that turns out to be narrower than the device.
#pragma once

#include "mirror.hpp"

namespace conformance {

// The peer says that what a member was sent, from port 4000 of 10.1.0.1, does not fit.
void send_fragmentation_needed(const World &w, const sockaddr_in &to, uint16_t mtu);

// What the calling thread's namespace takes for the MTU of the path.
int path_mtu(const sockaddr_in &to);

} // namespace conformance
