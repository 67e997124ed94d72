// SPDX-License-Identifier: GPL-2.0-only
#include "program.hpp"

#include <algorithm>
#include <iterator>
#include <sstream>

namespace fuzz {

namespace {

constexpr std::string_view names[] = {
    "socket", "set",     "get",  "flags", "option", "send", "connect",
    "bind",   "receive", "shut", "close", "fail",   "link",
};
static_assert(std::size(names) == static_cast<size_t>(Kind::Count));

} // namespace

std::string_view name(Kind kind) { return names[static_cast<size_t>(kind)]; }

std::string to_text(const Program &program)
{
    std::ostringstream out;
    for (const auto &op : program) {
        out << name(op.kind);
        auto end =
            std::find_if(op.numbers.rbegin(), op.numbers.rend(), [](uint64_t n) { return n != 0; });
        std::for_each(op.numbers.begin(), end.base(), [&](uint64_t n) { out << ' ' << n; });
        out << '\n';
    }
    return out.str();
}

Program from_text(std::string_view text)
{
    Program program;
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string word;
        if (!(words >> word))
            continue;
        const auto *known = std::find(std::begin(names), std::end(names), word);
        if (known == std::end(names))
            continue;
        Operation op;
        op.kind = static_cast<Kind>(known - std::begin(names));
        for (auto &number : op.numbers)
            if (!(words >> number))
                break;
        program.push_back(op);
    }
    return program;
}

} // namespace fuzz
