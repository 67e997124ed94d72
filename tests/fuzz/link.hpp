// SPDX-License-Identifier: GPL-2.0-only
// A network namespace of an unprivileged user's, and its device.
#pragma once

#include <cstdint>

namespace fuzz {

// The process becomes nobody, and root over a namespace that has loopback, a
// device that queues by departure time, and receivers who never look.
void enter_playground();

void change_link(uint64_t how);
void reset_link();

} // namespace fuzz
