// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// Three receivers, one send.

#include <groupcast/groupcast.hpp>

#include <iostream>

int main()
{
    groupcast::socket receivers[3], sender;
    std::vector<groupcast::address> members;
    for (auto &receiver : receivers) {
        receiver.bind(groupcast::ipv4("127.0.0.1", 0));
        members.push_back(receiver.local_address());
    }
    groupcast::group group(sender.fd());
    group.set(members);
    group.send("hello, all of you\n");
    for (char text[64]; auto &receiver : receivers)
        std::cout.write(text, recv(receiver.fd(), text, sizeof(text), 0));
}
