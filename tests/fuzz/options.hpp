// SPDX-License-Identifier: GPL-2.0-only
// Options of sockets that act on how datagrams are sent.
#pragma once

#include <cstdint>

namespace fuzz {

int set_option(int fd, uint64_t which, uint64_t value);

} // namespace fuzz
