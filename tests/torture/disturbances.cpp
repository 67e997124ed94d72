// SPDX-License-Identifier: GPL-2.0-only
#include "disturbance.hpp"

#include <sys/syscall.h>

namespace torture {
namespace {

// The device is there half of the time, and so is each of the others.
void device(World &world, Census &, unsigned)
{
    Rtnl rtnl;
    world.device(rtnl, false);
    world.device(rtnl, true);
    world.addresses(rtnl, true);
    world.routes(rtnl, true);
}

void addresses(World &world, Census &, unsigned)
{
    Rtnl rtnl;
    world.addresses(rtnl, false);
    world.addresses(rtnl, true);
}

void routes(World &world, Census &, unsigned)
{
    Rtnl rtnl;
    world.routes(rtnl, false);
    world.routes(rtnl, true);
}

void neighbours(World &world, Census &, unsigned)
{
    Rtnl rtnl;
    world.neighbours(rtnl, false);
    world.neighbours(rtnl, true);
}

// A namespace with sockets of its own, which send when nothing else holds it any
// more, and with the other end of a device of the world's.
void namespaces(World &world, Census &census, unsigned i)
{
    Fd here(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    std::string name = "v" + std::to_string(i);
    // Has the last of it, and time until the next one.
    static thread_local std::jthread sender;
    {
        Rtnl outside;
        if (unshare(CLONE_NEWNET) < 0)
            throw std::runtime_error("unshare");
        Fd self(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        outside.add_veth(name, "far", self.get());
        Rtnl inside;
        inside.set_up("lo");
        inside.set_up("far");
        inside.address(true, "far", "10.12.0.1", 16);
        Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        std::string members;
        for (uint16_t m = 2; m < 100; m++)
            members += packed((m % 2 ? "10.12.0." : "127.0.0.") + std::to_string(m), 9);
        change(fd.get(), SO_SETGRP, members);
        setns(world.ns().fd(), CLONE_NEWNET);
        outside.set_up(name);
        // the same prefix on many devices: which one is used changes with them
        outside.address(true, name, "10.11.0.1", 16);
        outside.neighbour(true, name, "10.11.0.2");
        sender = std::jthread([fd = std::move(fd)] {
            for (int n = 0; n < 3; n++)
                send(fd.get(), "s", 1, 0);
        });
        setns(here.get(), CLONE_NEWNET);
    }
    census.count("event: namespace", 0, {});
}

// Somebody always has a group: it is refused, or comes again.
void module(World &, Census &census, unsigned)
{
    census.count("event: rmmod", result(syscall(SYS_delete_module, "udp_group", O_NONBLOCK)),
                 {EAGAIN, ENOENT, EBUSY});
}

void cpu(World &, Census &census, unsigned)
{
    for (const char *on : {"0", "1"}) {
        Fd fd(open("/sys/devices/system/cpu/cpu1/online", O_WRONLY | O_CLOEXEC));
        census.count(*on == '0' ? "event: CPU offline" : "event: CPU online",
                     result(write(fd.get(), on, 1)), {EBUSY});
    }
}

} // namespace

std::vector<Disturbance> disturbances()
{
    return {{"device", device},
            {"addresses", addresses},
            {"routes", routes},
            {"neighbours", neighbours},
            {"namespaces", namespaces},
            {"module", module},
            {"cpu", cpu}};
}

} // namespace torture
