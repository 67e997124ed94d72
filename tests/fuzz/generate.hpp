// SPDX-License-Identifier: GPL-2.0-only
// Programs that nobody wrote.
#pragma once

#include "program.hpp"
#include "random.hpp"

#include <span>

namespace fuzz {

Program generate(Random &random);

// Another one that is like it; others has programs to take parts from.
Program mutate(const Program &program, std::span<const Program> others, Random &random);

} // namespace fuzz
