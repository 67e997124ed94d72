// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// What is wrong with a message and no member's fault.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <span>

namespace groupcast::internal {

// The errno with which the kernel refuses control messages, or 0. On a socket
// over IPv6, what is wrong for one family only fails members of that one, and
// not the send.
int control_error(int fd, sa_family_t family, std::span<const std::byte> control);

} // namespace groupcast::internal
