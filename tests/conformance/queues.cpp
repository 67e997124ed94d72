// SPDX-License-Identifier: GPL-2.0-only
#include "queues.hpp"

namespace conformance {

QueueState queue_of(const World &w, const std::string &device)
{
    std::string text = output_of(*w.sender, "tc -s qdisc show dev " + device + " root");
    QueueState q{};
    size_t sent = text.find("Sent "), backlog = text.find("backlog ");
    if (sent == std::string::npos || backlog == std::string::npos ||
        sscanf(text.c_str() + sent, "Sent %*u bytes %zu pkt (dropped %zu", &q.sent, &q.dropped) !=
            2 ||
        sscanf(text.c_str() + backlog, "backlog %*[^ ] %zup", &q.waiting) != 1)
        throw std::runtime_error(text);
    return q;
}

} // namespace conformance
