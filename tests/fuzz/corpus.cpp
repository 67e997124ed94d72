// SPDX-License-Identifier: GPL-2.0-only
#include "corpus.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace fuzz {

std::vector<Program> load_corpus(const std::string &directory)
{
    std::vector<std::filesystem::path> paths;
    std::error_code none;
    for (const auto &entry : std::filesystem::directory_iterator(directory, none))
        paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    std::vector<Program> programs;
    for (const auto &path : paths) {
        std::ifstream in(path);
        programs.push_back(from_text(std::string(std::istreambuf_iterator<char>(in), {})));
    }
    return programs;
}

void save_program(const std::string &directory, const Program &program)
{
    const std::string text = to_text(program);
    uint64_t hash = 14695981039346656037U; // FNV-1a
    for (char c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    char name[17];
    std::snprintf(name, sizeof(name), "%016llx", static_cast<unsigned long long>(hash));
    std::ofstream(directory + "/" + name) << text;
}

} // namespace fuzz
