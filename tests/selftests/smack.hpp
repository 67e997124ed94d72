// SPDX-License-Identifier: GPL-2.0-only
// Smack, which has labels for hosts: who may not write to a label may not send
// there.
#pragma once

#include "tomoyo.hpp"

namespace selftest {

inline const std::string smackfs = "/sys/fs/smackfs/";

// A host has a label from now on; these are the system's and stay. "@" lets all.
inline void label_host(const std::string &host, const std::string &label)
{
    write_file(smackfs + "netlabel", host + " " + label);
}

inline void label_host6(const std::string &host, const std::string &label)
{
    write_file(smackfs + "ipv6host", host + " " + label);
}

// What a subject may do to an object: "w", "-".
inline void allow(const std::string &subject, const std::string &object, const std::string &access)
{
    write_file(smackfs + "load2", subject + " " + object + " " + access);
}

// This process, and what it opens, has the label from now on.
inline void take_label(const std::string &label)
{
    write_file("/proc/self/attr/smack/current", label);
}

} // namespace selftest
