// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// A socket's error queue, where IP_RECVERR puts the ICMP errors that come back.
#pragma once

#include <netinet/in.h>

namespace groupcast::internal {

struct queued_error {
    bool icmp;        // from the network, and not made on this host
    int error;        // errno
    sockaddr_in dest; // where the datagram went
};

// Takes the next error, if there is one.
bool take_queued_error(int fd, queued_error &out);

// Can this errno of a send be that of an earlier datagram, for which an ICMP
// error came back?
bool is_icmp_errno(int error);

} // namespace groupcast::internal
