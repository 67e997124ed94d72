// SPDX-License-Identifier: GPL-2.0-only
#include "trace.hpp"

#include <sys/stat.h>

namespace conformance {

using namespace selftest;

static const std::string instance = "/sys/kernel/tracing/instances/conformance";

SendTrace &SendTrace::of_all()
{
    static SendTrace trace;
    return trace;
}

SendTrace::SendTrace()
{
    // the events are the module's, which the first group loads
    Receiver r;
    Sender s;
    if (s.set({&r.address(), 1}) != 0)
        throw std::runtime_error("no group unicast here");
    // Recording names would have the kernel patch its scheduler while it runs,
    // which QEMU's translation of the other CPU's code does not survive always.
    std::ofstream("/sys/kernel/tracing/options/record-cmd") << 0;
    if (mkdir(instance.c_str(), 0700) < 0 && errno != EEXIST)
        throw std::runtime_error(instance);
    std::ofstream enable(instance + "/events/udp_group/udp_group_send_end/enable");
    enable << 1 << std::flush;
    pipe_ = Fd(open((instance + "/trace_pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!enable.good() || pipe_.get() < 0)
        throw std::runtime_error("no trace of udp_group_send_end");
}

SendTrace::~SendTrace()
{
    std::ofstream(instance + "/events/udp_group/udp_group_send_end/enable") << 0;
    pipe_.reset();
    rmdir(instance.c_str());
}

std::vector<SendEvent> SendTrace::take()
{
    std::string text;
    char buf[4096];
    ssize_t n = 0;
    while ((n = read(pipe_.get(), buf, sizeof(buf))) > 0)
        text.append(buf, static_cast<size_t>(n));
    std::vector<SendEvent> events;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        size_t at = line.find(" passed=");
        SendEvent e{};
        // without the field "fast" there is no telling which path it was
        if (at == std::string::npos ||
            sscanf(line.c_str() + at,
                   " passed=%lu fast=%lu sent=%lu failed=%lu unreached=%lu err=%d", &e.passed,
                   &e.fast, &e.sent, &e.failed, &e.unreached, &e.err) != 6)
            throw std::runtime_error("what event is this? " + line);
        events.push_back(e);
    }
    return events;
}

} // namespace conformance
