// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// How much room a socket's send buffer has.
#pragma once

#include <sys/socket.h>

#include <cstddef>

namespace groupcast::internal {

// 1 if a socket of this family can queue so many datagrams of this length, or
// if there will never be more room, since the buffer is empty; 0 if not; or a
// negative errno.
int send_buffer_has_room(int fd, sa_family_t family, size_t datagrams, size_t len);

} // namespace groupcast::internal
