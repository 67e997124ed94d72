// SPDX-License-Identifier: GPL-2.0-only
// What leaves the host for a member is what a sendto() would have sent, byte by
// byte, and the tracepoints tell of it.

#include "messages.hpp"

#include <regex>

namespace selftest {
namespace {

class Wire : public InNamespace {};

// Without what may differ between two datagrams that are alike: the IP
// identification, and the checksum over it.
std::vector<std::string> comparable(std::vector<std::string> packets)
{
    std::string before;
    for (auto &p : packets) {
        auto at = [&p](size_t i) { return static_cast<uint8_t>(p.at(i)); };
        bool first = !(at(6) & 0x1f) && !at(7);
        std::string id = p.substr(4, 2);
        if (!first) {
            EXPECT_EQ(id, before) << "fragments of two datagrams";
        }
        before = id;
        p.replace(4, 2, 2, '\0');
        p.replace(10, 2, 2, '\0');
    }
    return packets;
}

void offload(const std::string &device, bool on)
{
    for (uint32_t what : {ETHTOOL_STXCSUM, ETHTOOL_SSG, ETHTOOL_SGSO})
        set_offload(device, what, on);
}

// The law of equivalence: what leaves the host for a member is what a sendto()
// would have sent, to the bit.
TEST_F(Wire, SeesNoDifference)
{
    devices();
    Capture wire("d9");
    auto addrs = many(0x0a090002, 3);
    const std::string record_route("\x01\x07\x0b\x04\0\0\0\0\0\0\0\0", 12);
    struct {
        const char *name;
        std::function<long(const Sender &)> set;
    } options[] = {
        {"plain", [](const Sender &) { return 0L; }},
        {"IP_TTL", [](const Sender &s) { return s.option(SOL_IP, IP_TTL, 3); }},
        {"IP_TOS", [](const Sender &s) { return s.option(SOL_IP, IP_TOS, 0xb8); }},
        {"IP_PMTUDISC_DO",
         [](const Sender &s) { return s.option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO); }},
        {"IP_PMTUDISC_DONT",
         [](const Sender &s) { return s.option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT); }},
        {"SO_NO_CHECK", [](const Sender &s) { return s.option(SOL_SOCKET, SO_NO_CHECK, 1); }},
        {"UDP_SEGMENT", [](const Sender &s) { return s.option(SOL_UDP, UDP_SEGMENT, 500); }},
        {"IP_OPTIONS",
         [&](const Sender &s) {
             return result(setsockopt(s.fd(), SOL_IP, IP_OPTIONS, record_route.data(),
                                      static_cast<socklen_t>(record_route.size())));
         }},
    };
    for (bool offloaded : {true, false}) {
        offload("d9", offloaded);
        for (const auto &o : options) {
            Sender s;
            ASSERT_EQ(s.set(addrs), 0);
            ASSERT_EQ(o.set(s), 0) << o.name << ": " << strerror(errno);
            uint64_t failed = 0;
            for (size_t size : {0, 1, 100, 1472, 1473, 4000}) {
                SCOPED_TRACE(std::string(o.name) + (offloaded ? ", offloaded, " : ", ") +
                             std::to_string(size));
                const std::string data = pattern(size);
                long error = 0;
                for (const auto &addr : addrs) {
                    long one = s.send_to(data, addr);
                    if (one < 0) {
                        error = one;
                        failed++;
                    } else {
                        EXPECT_EQ(one, static_cast<long>(size));
                    }
                }
                auto one = comparable(wire.take());
                EXPECT_EQ(s.send(data), static_cast<long>(size));
                auto group = comparable(wire.take());
                ASSERT_EQ(group.size(), one.size());
                for (size_t i = 0; i < one.size(); i++)
                    EXPECT_TRUE(group[i] == one[i]) << "packet " << i;
                if (error) {
                    EXPECT_TRUE(one.empty());
                    EXPECT_EQ(s.stat().members[2].error, -error);
                } else {
                    EXPECT_GE(one.size(), 3u);
                }
                EXPECT_EQ(s.stat().totals.failed, failed);
            }
        }
    }
}

std::string read_file(const std::string &path)
{
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

// Has the events of a send recorded for the time that it exists.
class Trace {
public:
    Trace() { enable(1); }
    ~Trace() { enable(0); }
    std::string text() const { return read_file(tracing + "trace"); }

private:
    const std::string tracing = "/sys/kernel/tracing/";
    void enable(int on) const
    {
        std::ofstream(tracing + "trace") << '\n';
        for (std::string event : {"udp_group_send_begin", "udp_group_send_end"}) {
            std::ofstream out(tracing + "events/udp_group/" + event + "/enable");
            out << on << std::flush;
            EXPECT_TRUE(out.good()) << event;
        }
    }
};

TEST_F(Wire, TracepointsTellOfASend)
{
    Receiver r;
    std::vector<sockaddr_in> addrs{r.address(), address("10.77.0.1", 9)};
    Sender s;
    ASSERT_EQ(s.set(addrs), 0);
    addrs.push_back(address("127.0.0.1", 9));
    ASSERT_EQ(s.set(addrs), 0);
    Trace trace;
    EXPECT_EQ(s.send_to("no group's", r.address()), 10);
    EXPECT_EQ(s.send("12345", MSG_MORE), -EOPNOTSUPP);
    EXPECT_EQ(s.send("12345"), 5);
    std::string text = trace.text();
    std::regex line("udp_group_send_[^\n]*");
    std::vector<std::string> lines;
    for (std::sregex_iterator it(text.begin(), text.end(), line), end; it != end; ++it)
        lines.push_back(it->str());
    ASSERT_EQ(lines.size(), 2u) << text;
    std::smatch begin, end;
    ASSERT_TRUE(std::regex_match(
        lines[0], begin,
        std::regex("udp_group_send_begin: skaddr=(\\S+) generation=2 members=3 len=5")))
        << lines[0];
    ASSERT_TRUE(std::regex_match(lines[1], end,
                                 std::regex("udp_group_send_end: skaddr=(\\S+) generation=2 "
                                            "passed=3 fast=2 sent=2 failed=1 unreached=0 err=0")))
        << lines[1];
    EXPECT_EQ(begin[1], end[1]);
}

} // namespace
} // namespace selftest
