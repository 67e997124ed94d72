// SPDX-License-Identifier: GPL-2.0-only
#include "disturbance.hpp"

#include <sys/syscall.h>

#include <array>

namespace torture {
namespace {

// Each of these comes back at once, with all that went with it. Nobody else changes
// the device meanwhile, so the kernel has no reason to refuse anything.
void device(World &world, Census &census, unsigned)
{
    auto lock = world.alone();
    Rtnl rtnl;
    census.count("event: device gone", world.device(rtnl, false), {});
    census.count("event: device back", world.device(rtnl, true), {});
    census.count("event: device usable", world.on_device(rtnl), {});
}

// With the last address go the routes of IPv4 and its neighbours.
void addresses(World &world, Census &census, unsigned)
{
    auto lock = world.alone();
    Rtnl rtnl;
    census.count("event: addresses gone", world.addresses(rtnl, false), {});
    census.count("event: addresses back", world.on_device(rtnl), {});
}

void routes(World &world, Census &census, unsigned)
{
    auto lock = world.alone();
    Rtnl rtnl;
    census.count("event: routes gone", world.routes(rtnl, false), {});
    census.count("event: routes back", world.routes(rtnl, true), {});
}

void neighbours(World &world, Census &census, unsigned)
{
    auto lock = world.alone();
    Rtnl rtnl;
    census.count("event: neighbours gone", world.neighbours(rtnl, false), {});
    census.count("event: neighbours back", world.neighbours(rtnl, true), {});
}

// One with a queue goes once it has had something to send.
void with_queue(World &world, Census &census, unsigned i)
{
    auto &device = world.queued()[i % world.queued().size()];
    bool used = selftest::eventually([&] { return device.has_sent(); });
    census.count("event: queue used", used ? 0 : -ETIMEDOUT, {});
    auto lock = world.alone();
    Rtnl rtnl;
    census.count("event: with queue gone", device.remove(rtnl), {});
    census.count("event: with queue back", device.make(rtnl), {});
}

void queue(World &world, Census &census, unsigned i)
{
    auto lock = world.alone();
    Rtnl rtnl;
    auto &device = world.queued()[i % world.queued().size()];
    census.count("event: queue replaced", device.next_queue(rtnl), {});
}

// A namespace that goes has the other end of a device of the world's, which goes with
// it: so it is seen. That takes seconds, so some go at the same time.
struct Doomed {
    std::string device;
    std::jthread sender; // has the last of it

    void await(Census &census)
    {
        sender = std::jthread();
        if (device.empty())
            return;
        bool gone = selftest::eventually([&] { return !if_nametoindex(device.c_str()); });
        census.count("event: namespace gone", gone ? 0 : -EBUSY, {});
        device.clear();
    }
};
thread_local std::array<Doomed, 4> doomed;

// It has sockets of its own, which send when nothing else holds it any more.
void namespaces(World &world, Census &census, unsigned i)
{
    Fd here(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    auto &[name, sender] = doomed[i % doomed.size()];
    doomed[i % doomed.size()].await(census);
    name = "v" + std::to_string(i);
    long made = 0, group = 0;
    {
        Rtnl outside;
        if (unshare(CLONE_NEWNET) < 0)
            throw std::runtime_error("unshare");
        Fd self(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        made = outside.add_veth(name, "far", self.get());
        Rtnl inside;
        made = first_error({made, inside.set_up("lo"), inside.set_up("far"),
                            inside.address(true, "far", "10.12.0.1", 16)});
        Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        std::string members;
        for (uint16_t m = 2; m < 100; m++)
            members += packed((m % 2 ? "10.12.0." : "127.0.0.") + std::to_string(m), 9);
        // the module can be gone between being loaded and being asked
        while ((group = change(fd.get(), SO_SETGRP, members)) == -ENOPROTOOPT)
            ;
        world.ns().enter();
        // the same prefix on many devices: which one is used changes with them
        made = first_error({made, group, outside.set_up(name),
                            outside.address(true, name, "10.11.0.1", 16),
                            outside.neighbour(true, name, "10.11.0.2")});
        sender = std::jthread([fd = std::move(fd)] {
            for (int n = 0; n < 3; n++)
                send(fd.get(), "s", 1, 0);
        });
        setns(here.get(), CLONE_NEWNET);
    }
    census.count("event: namespace made", made, {});
}

void last_namespaces(World &, Census &census)
{
    for (auto &d : doomed)
        d.await(census);
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
        Fd fd(open("/sys/devices/system/cpu/cpu1/online", O_RDWR | O_CLOEXEC));
        long err = result(write(fd.get(), on, 1));
        // to write what it is already is no error
        char is = '?';
        if (err >= 0 && (pread(fd.get(), &is, 1, 0) != 1 || is != *on))
            err = -EALREADY;
        census.count(*on == '0' ? "event: CPU offline" : "event: CPU online", err, {});
    }
}

} // namespace

std::vector<Disturbance> disturbances()
{
    return {
        {"device", device, {"event: device gone", "event: device back", "event: device usable"}},
        {"addresses", addresses, {"event: addresses gone", "event: addresses back"}},
        {"routes", routes, {"event: routes gone", "event: routes back"}},
        {"neighbours", neighbours, {"event: neighbours gone", "event: neighbours back"}},
        {"with queue",
         with_queue,
         {"event: queue used", "event: with queue gone", "event: with queue back"}},
        {"queue", queue, {"event: queue replaced"}},
        {"namespace",
         namespaces,
         {"event: namespace made", "event: namespace gone"},
         last_namespaces},
        {"module", module, {}},
        {"CPU", cpu, {"event: CPU offline", "event: CPU online"}}};
}

} // namespace torture
