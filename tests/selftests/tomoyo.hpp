// SPDX-License-Identifier: GPL-2.0-only
// A security module, TOMOYO, for tests that are about one.
#pragma once

#include "support.hpp"

namespace selftest {

inline void write_file(const std::string &path, const std::string &text)
{
    Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.get() < 0 ||
        write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        throw std::runtime_error(path + ": " + strerror(errno));
}

// The process enters a domain of its own, which may
// send to some of the addresses only. Other tests stay in the domain they are
// in, which allows everything.
inline void enter_domain(const std::string &allowed)
{
    const std::string tomoyo = "/sys/kernel/security/tomoyo/", domain = "<kernel> /confined";
    write_file(tomoyo + "profile", "1-CONFIG={ mode=disabled }\n"
                                   "1-CONFIG::network::inet_dgram_send={ mode=enforcing "
                                   "grant_log=no reject_log=no }\n");
    write_file(tomoyo + "domain_policy", "delete " + domain + "\n");
    std::string rules;
    std::istringstream words(allowed);
    for (std::string range; words >> range;)
        rules += "network inet dgram send " + range + " 1-65535\n";
    write_file(tomoyo + "domain_policy", domain + "\nuse_profile 1\n" + rules);
    write_file(tomoyo + "domain_policy", "select pid=" + std::to_string(getpid()) +
                                             "\ntask manual_domain_transition " + domain + "\n");
    write_file(tomoyo + "self_domain", domain);
}

} // namespace selftest
