// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// groupcast(1)

#include "capacity.hpp"

#include <groupcast/groupcast.h>

#include <exception>
#include <iostream>
#include <string_view>

int main(int argc, char **argv)
try {
    std::string_view command = argc > 1 ? argv[1] : "";
    if (command == "capacity")
        return capacity::capacity_command(argc - 1, argv + 1);
    if (command == "--version") {
        std::cout << "groupcast " << groupcast_version() << '\n';
        return 0;
    }
    bool help = command == "--help";
    (help ? std::cout : std::cerr) << "usage: groupcast capacity [OPTION...]\n"
                                      "       groupcast --version\n"
                                      "See groupcast(1).\n";
    return help ? 0 : 2;
} catch (const std::exception &e) {
    std::cerr << "groupcast: " << e.what() << '\n';
    return 1;
}
