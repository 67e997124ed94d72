// SPDX-License-Identifier: GPL-2.0-only
// Queues of the senders' devices, and what they say of themselves.
#pragma once

#include "mirror.hpp"

namespace conformance {

// fq_codel that drops nothing for having waited long, as it does on a slow machine.
inline const std::string patient = "fq_codel target 10s interval 20s";

struct QueueState {
    size_t sent, dropped, waiting;
};

// Of the device's root.
QueueState queue_of(const World &w, const std::string &device);

} // namespace conformance
