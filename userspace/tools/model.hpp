// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// What a send to N members costs, as a straight line through measured points,
// and what follows from it: how many members fit into a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>

namespace capacity {

// One send to so many members took so long.
struct point {
    double members;
    double nanoseconds;
};

// cost(N) = fixed + per_member * N
struct model {
    double fixed = 0;
    double per_member = 0;

    double cost(double members) const { return fixed + per_member * members; }

    // The largest group that a send reaches within the time.
    uint64_t members_within(double nanoseconds) const
    {
        if (nanoseconds < cost(1))
            return 0;
        return static_cast<uint64_t>(std::min((nanoseconds - fixed) / per_member, 1e15));
    }
};

// How far the prediction is from the measured cost, in parts of the latter.
inline double error(const model &m, const point &p)
{
    return m.cost(p.members) / p.nanoseconds - 1;
}

// Least squares of the relative errors, since a line that misses large groups
// by a microsecond may not miss small ones by as much. Neither part of a cost
// is negative: what noise would make so is left out of the fit.
inline model fit(std::span<const point> points)
{
    double w = 0, n = 0, nn = 0, t = 0, nt = 0, smallest = std::numeric_limits<double>::max(),
           largest = 0;
    for (const auto &p : points) {
        if (!(p.members > 0) || !(p.nanoseconds > 0))
            throw std::invalid_argument("a point without members or time");
        double weight = 1 / (p.nanoseconds * p.nanoseconds);
        w += weight;
        n += weight * p.members;
        nn += weight * p.members * p.members;
        t += weight * p.nanoseconds;
        nt += weight * p.members * p.nanoseconds;
        smallest = std::min(smallest, p.members);
        largest = std::max(largest, p.members);
    }
    if (!(smallest < largest))
        throw std::invalid_argument("a line needs points at two sizes");

    double determinant = w * nn - n * n;
    model m{(nn * t - n * nt) / determinant, (w * nt - n * t) / determinant};
    if (m.fixed < 0)
        m = {0, nt / nn};
    if (!(m.per_member > 0))
        throw std::invalid_argument("the cost does not grow with the members");
    return m;
}

// The paper's increase factor. A server has `members` and sends to them the
// `old` way once every interval; what else it does for them takes the rest of
// the interval, in proportion to their number. This is how many it has room for
// if it sends the `other` way:
//
//   N' * (interval - old(N)) / N + other(N') = interval
inline double members_instead(const model &old, const model &other, double members, double interval)
{
    double rest = std::max(0.0, interval - old.cost(members)) / members;
    return (interval - other.fixed) / (rest + other.per_member);
}

} // namespace capacity
