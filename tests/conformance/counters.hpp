// SPDX-License-Identifier: GPL-2.0-only
// What a namespace has counted: all of /proc/net/snmp, netstat, dev and, for IPv6,
// snmp6 and dev_snmp6.
#pragma once

#include "../selftests/support.hpp"

#include <map>

namespace conformance {

using Counters = std::map<std::string, long>;

// Of the calling thread's namespace.
Counters counters();
// What has changed from one time to another.
Counters growth(const Counters &before, const Counters &after);

} // namespace conformance
