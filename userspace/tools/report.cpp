// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

#include "capacity.hpp"

#include <cmath>
#include <iomanip>
#include <ostream>
#include <sstream>

namespace capacity {
namespace {

std::string fixed(double value, int digits)
{
    std::ostringstream out;
    out << std::fixed << std::setprecision(digits) << value;
    return out.str();
}

std::string percent(double part) { return fixed(part * 100, 1) + " %"; }

// Nanoseconds in the unit that suits them.
std::string duration(double ns)
{
    if (ns >= 1e6)
        return fixed(ns / 1e6, 2) + " ms";
    return ns >= 1e4 ? fixed(ns / 1e3, 1) + " us" : fixed(ns, 0) + " ns";
}

std::string quoted(const std::string &text)
{
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\')
            out += '\\';
        out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
    return out + '"';
}

void print_json(std::ostream &out, const measurement &m)
{
    out << "{\"members\":" << m.members << ",\"measured_ns\":" << fixed(m.nanoseconds, 1)
        << ",\"packets\":" << m.packets << ",\"due\":" << m.due << "}";
}

} // namespace

double findings::worst_error() const
{
    double worst = 0;
    for (const auto &a : answers)
        if (a.measured)
            worst = std::max(worst, std::abs(a.error()));
    return worst;
}

void print_table(std::ostream &out, const findings &found)
{
    if (!found.calibrations.empty())
        out << "The time of one send to N members, measured on " << found.device
            << " and fitted by fixed + per member * N:\n\n"
            << "  way        bytes        fixed   per member   worst error of the fit\n";
    for (const auto &c : found.calibrations) {
        out << "  " << std::left << std::setw(10) << c.way << std::right << std::setw(6) << c.bytes
            << std::setw(13) << duration(c.line.fixed) << std::setw(13)
            << fixed(c.line.per_member, 1) + " ns" << std::setw(11) << percent(c.worst_error())
            << " at " << c.points.size() << " sizes up to " << c.points.back().members << '\n';
    }

    const answer *shown = nullptr;
    for (const auto &a : found.answers) {
        if (!shown || shown->bytes != a.bytes || shown->interval != a.interval ||
            shown->budget != a.budget)
            out << '\n'
                << a.bytes << " bytes every " << duration(a.interval) << ", at most "
                << percent(a.budget) << " of it for sending:\n\n"
                << "  way          members     predicted      measured    error"
                << "     instead  factor\n";
        shown = &a;
        out << "  " << std::left << std::setw(10) << a.way << std::right << std::setw(10)
            << a.members << std::setw(14) << duration(a.predicted) << std::setw(14)
            << (a.measured ? duration(a.measured->nanoseconds) : "-") << std::setw(9)
            << (a.measured ? percent(a.error()) : "-");
        if (a.factor > 0)
            out << std::setw(12) << fixed(a.instead, 0) << std::setw(8) << fixed(a.factor, 2);
        if (a.members < a.fit)
            out << "  (" << a.fit << " would fit)";
        out << '\n';
    }
    for (const auto &[way, why] : found.unavailable)
        out << "\nNOT MEASURED: " << way << ": " << why << '\n';
}

void print_json(std::ostream &out, const findings &found)
{
    const char *separator = "";
    out << "{\"device\":" << quoted(found.device) << ",\n\"calibrations\":[";
    for (const auto &c : found.calibrations) {
        out << separator << "\n{\"way\":" << quoted(c.way) << ",\"bytes\":" << c.bytes
            << ",\"fixed_ns\":" << fixed(c.line.fixed, 1)
            << ",\"per_member_ns\":" << fixed(c.line.per_member, 3)
            << ",\"worst_error\":" << fixed(c.worst_error(), 5) << ",\"points\":[";
        separator = "";
        for (const auto &p : c.points) {
            out << separator;
            print_json(out, p);
            separator = ",";
        }
        out << "]}";
    }
    out << "],\n\"answers\":[";
    separator = "";
    for (const auto &a : found.answers) {
        out << separator << "\n{\"way\":" << quoted(a.way) << ",\"bytes\":" << a.bytes
            << ",\"interval_ns\":" << fixed(a.interval, 0) << ",\"budget\":" << a.budget
            << ",\"fit\":" << a.fit << ",\"members\":" << a.members
            << ",\"predicted_ns\":" << fixed(a.predicted, 1);
        if (a.measured) {
            out << ",\"error\":" << fixed(a.error(), 5) << ",\"measured\":";
            print_json(out, *a.measured);
        }
        if (a.factor > 0)
            out << ",\"instead\":" << fixed(a.instead, 1) << ",\"factor\":" << fixed(a.factor, 4);
        out << "}";
        separator = ",";
    }
    out << "],\n\"unavailable\":[";
    separator = "";
    for (const auto &[way, why] : found.unavailable) {
        out << separator << "{\"way\":" << quoted(way) << ",\"why\":" << quoted(why) << "}";
        separator = ",";
    }
    out << "]}\n";
}

} // namespace capacity
