// SPDX-License-Identifier: GPL-2.0-only
// The errors that the documentation allows for each call.
#pragma once

namespace fuzz {

// Of the options, on a socket that can have a group and on one that cannot.
bool is_documented_set(int option, bool has_groups, int err);
bool is_documented_get(int option, bool has_groups, int err);
// Of any send, to the group or not.
bool is_documented_send(int err);

} // namespace fuzz
