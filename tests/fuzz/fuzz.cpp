// SPDX-License-Identifier: GPL-2.0-only
// The long run: fuzz SECONDS SEED FROM TO, or fuzz replay FILE [TIMES].
#include "hunt.hpp"

#include <cstdlib>
#include <iostream>
#include <string_view>

int main(int argc, char **argv)
{
    if (argc >= 3 && std::string_view(argv[1]) == "replay") {
        const auto problem = fuzz::replay(argv[2], argc > 3 ? std::atoi(argv[3]) : 1);
        std::cout << (problem.empty() ? "nothing" : problem) << '\n';
        return problem.empty() ? 0 : 1;
    }
    if (argc != 5) {
        std::cerr << "usage: fuzz SECONDS SEED FROM TO | fuzz replay FILE [TIMES]\n";
        return 2;
    }
    fuzz::Plan plan;
    plan.seconds = static_cast<unsigned>(std::atoi(argv[1]));
    plan.seed = std::strtoull(argv[2], nullptr, 0);
    plan.from = argv[3];
    plan.to = argv[4];
    const auto report = fuzz::hunt(plan);
    std::cout << "seed " << plan.seed << ": " << report.programs << " programs, "
              << report.operations << " operations in " << static_cast<long>(report.seconds)
              << " s, " << static_cast<long>(static_cast<double>(report.programs) / report.seconds)
              << " programs a second; " << report.places << " places, corpus " << report.corpus
              << ", of these " << report.mutated << " by mutation\n";
    if (!report.problem.empty())
        std::cout << "problem: " << report.problem << '\n';
    return report.problem.empty() ? 0 : 1;
}
