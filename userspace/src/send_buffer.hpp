// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// How much room a socket's send buffer has.
#pragma once

#include <cstddef>

namespace groupcast::internal {

// 1 if so many datagrams of this length can be queued, or if there will never
// be more room, since the buffer is empty; 0 if not; or a negative errno.
int send_buffer_has_room(int fd, size_t datagrams, size_t len);

} // namespace groupcast::internal
