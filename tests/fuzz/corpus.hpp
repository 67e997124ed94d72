// SPDX-License-Identifier: GPL-2.0-only
// Programs that came to places where none before them had been.
#pragma once

#include "program.hpp"

#include <string>
#include <vector>

namespace fuzz {

// Those in a directory, in the order of their names; none if it is not there.
std::vector<Program> load_corpus(const std::string &directory);

// In a file that is named for what is in it.
void save_program(const std::string &directory, const Program &program);

} // namespace fuzz
