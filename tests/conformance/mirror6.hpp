// SPDX-License-Identifier: GPL-2.0-only
// Mirrored worlds that have IPv6, too, and what is to be expected of it there.
#pragma once

#include "duel.hpp"

namespace conformance {

// A mirror of their own for these tests: what IPv6 says by itself when it comes
// up would be counted in the others. fd01::/64 is near's and fd02::/64 near2's,
// with the hosts of 10.1.0.0/24 and 10.2.0.0/24; both have fe80::/64.
class Mirrored6 : public testing::Test {
protected:
    static Mirror &mirror();
    void TearDown() override;
};

Addresses members6(const std::string &prefix, size_t n, unsigned first = first_neighbour,
                   uint32_t scope = 0);
// By IPv6, by IPv4, and by IPv4 as a mapped address, in turns, on near's networks.
Addresses mixed_members(size_t n);

// What one datagram can hold.
size_t longest(const Address &to);
// In how many pieces it leaves, by a device with this MTU.
size_t pieces(const Address &to, size_t size, size_t mtu = 1500);
// All get it as it has to be: whole by the fast path, or in fragments, or not if
// no datagram can hold it.
Outcome as_it_fits(const Addresses &members, size_t size, const std::string &device = "far",
                   size_t mtu = 1500);

} // namespace conformance
