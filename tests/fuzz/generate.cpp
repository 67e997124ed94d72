// SPDX-License-Identifier: GPL-2.0-only
#include "generate.hpp"

#include <algorithm>
#include <iterator>

namespace fuzz {

namespace {

constexpr size_t max_operations = 24;

// What a group is about comes more often than what is around it.
constexpr Kind kinds[] = {
    Kind::Set,    Kind::Set,     Kind::Set,    Kind::Set,   Kind::Send,   Kind::Send,
    Kind::Send,   Kind::Send,    Kind::Send,   Kind::Send,  Kind::Get,    Kind::Get,
    Kind::Option, Kind::Option,  Kind::Option, Kind::Flags, Kind::Socket, Kind::Connect,
    Kind::Bind,   Kind::Receive, Kind::Shut,   Kind::Close, Kind::Fail,   Kind::Link,
};

// Small numbers most often: they are the choices that lead somewhere.
uint64_t number(Random &random)
{
    switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
        return 0;
    case 3:
    case 4:
        return random.below(16);
    case 5:
        return random.below(1024);
    case 6:
        return random.below(1 << 20);
    default:
        return random.next() >> random.below(60);
    }
}

Operation operation(Random &random)
{
    Operation op;
    op.kind = kinds[random.below(std::size(kinds))];
    for (auto &n : op.numbers)
        n = number(random);
    return op;
}

size_t place(const Program &program, Random &random) { return random.below(program.size() + 1); }

void change_number(Program &program, Random &random)
{
    if (program.empty())
        return;
    auto &n = program[random.below(program.size())].numbers[random.below(max_numbers)];
    switch (random.below(4)) {
    case 0:
        n = number(random);
        break;
    case 1:
        n ^= 1ULL << random.below(64);
        break;
    case 2:
        n += random.below(9) - 4;
        break;
    default:
        n = 0;
    }
}

void take_part(Program &program, const Program &other, Random &random)
{
    if (other.empty())
        return;
    const size_t first = random.below(other.size());
    const size_t count = 1 + random.below(other.size() - first);
    program.insert(program.begin() + static_cast<ptrdiff_t>(place(program, random)),
                   other.begin() + static_cast<ptrdiff_t>(first),
                   other.begin() + static_cast<ptrdiff_t>(first + count));
}

void mutate_once(Program &program, std::span<const Program> others, Random &random)
{
    switch (random.below(8)) {
    case 0:
        program.insert(program.begin() + static_cast<ptrdiff_t>(place(program, random)),
                       operation(random));
        break;
    case 1:
        if (program.size() > 1)
            program.erase(program.begin() + static_cast<ptrdiff_t>(random.below(program.size())));
        break;
    case 2:
        if (!program.empty())
            program.push_back(program[random.below(program.size())]);
        break;
    case 3:
        if (!others.empty())
            take_part(program, others[random.below(others.size())], random);
        break;
    default:
        change_number(program, random);
    }
}

} // namespace

Program generate(Random &random)
{
    Program program;
    for (size_t n = 2 + random.below(8); n > 0; n--)
        program.push_back(operation(random));
    return program;
}

Program mutate(const Program &program, std::span<const Program> others, Random &random)
{
    Program changed = program;
    for (size_t n = 1 + random.below(4); n > 0; n--)
        mutate_once(changed, others, random);
    if (changed.size() > max_operations)
        changed.resize(max_operations);
    return changed;
}

} // namespace fuzz
