// SPDX-License-Identifier: GPL-2.0-only
// A path turns out to be narrower while a thread sends all the time, by sendto() to
// each or to a group: what is lost, cut or refused from then on is the same.

#include "duel.hpp"
#include "path_mtu.hpp"

namespace conformance {
namespace {

constexpr size_t n = 6, narrow = 1, size = 600;
constexpr uint16_t mtu = 576;

std::string numbered(uint32_t number)
{
    std::string data = pattern(size);
    memcpy(data.data(), &number, sizeof(number));
    return data;
}

uint32_t number_of(const std::string &data)
{
    uint32_t number = 0;
    memcpy(&number, data.data(), std::min(data.size(), sizeof(number)));
    return number;
}

// What members receive: each number once and in order, whole or in pieces, but for one
// that whoever is behind the narrow path may miss when that becomes known.
class Log {
public:
    explicit Log(const sockaddr_in &narrow) : narrow_(inet_ntoa(narrow.sin_addr)) {}
    void look(const std::vector<Frame> &frames)
    {
        for (const auto &f : frames) {
            const std::string to = f.to();
            std::string &data = data_[to];
            if (f.is_later_fragment()) {
                EXPECT_EQ(f.ident(), ident_[to]);
                data += f.bytes.substr(Frame::ip + f.header_length());
            } else {
                EXPECT_TRUE(data.empty()) << "a piece is missing for " << to;
                data = f.data();
            }
            ident_[to] = f.ident();
            const bool is_piece = f.is_later_fragment() || has_more(f);
            if (has_more(f))
                continue;
            auto &counted = counted_[to];
            // What is on its way by a route that is replaced is discarded, and nobody is
            // told, also not who called sendto()
            if (to == narrow_ && !counted.lost && number_of(data) == counted.all() + 1)
                counted.lost++;
            ASSERT_TRUE(data == numbered(counted.all()))
                << "for " << to << " after " << counted.all() << " comes " << number_of(data);
            data.clear();
            // who is known to be behind a narrow path stays there
            EXPECT_TRUE(is_piece || !counted.cut) << "whole again for " << to;
            (is_piece ? counted.cut : counted.whole)++;
        }
    }
    struct Counted {
        uint32_t whole = 0, cut = 0, lost = 0;
        uint32_t all() const { return whole + cut + lost; }
    };
    Counted of(const sockaddr_in &member) const
    {
        auto found = counted_.find(inet_ntoa(member.sin_addr));
        return found == counted_.end() ? Counted{} : found->second;
    }

private:
    static bool has_more(const Frame &f) { return f.at(Frame::ip + 6) & 0x20; }
    std::string narrow_;
    std::map<std::string, Counted> counted_;
    std::map<std::string, std::string> data_;
    std::map<std::string, uint16_t> ident_;
};

// Sends to all, over and over, until it is told to stop.
class Stream {
public:
    Stream(const Sender &s, const std::vector<sockaddr_in> &addrs, bool is_group)
        : thread_([=, this, &s, &addrs] {
              stay_on(1);
              while (!stop_) {
                  if (sent_ >= limit_) {
                      usleep(100);
                      continue;
                  }
                  if (is_group)
                      EXPECT_EQ(s.send(numbered(sent_)), static_cast<long>(size));
                  else
                      send_to_each(s, addrs);
                  sent_++;
              }
          })
    {}
    ~Stream() { stop(); }
    Stream(const Stream &) = delete;
    Stream &operator=(const Stream &) = delete;
    uint32_t sent() const { return sent_; }
    // It goes no further than who looks at the frames can follow, so that no queue
    // on the way is full.
    void go_on(uint32_t seen) { limit_ = seen + 30; }
    uint32_t refused() const { return refused_; } // of sendto(), to the narrow member
    void stop()
    {
        stop_ = true;
        if (thread_.joinable())
            thread_.join();
    }

private:
    void send_to_each(const Sender &s, const std::vector<sockaddr_in> &addrs)
    {
        for (size_t i = 0; i < addrs.size(); i++) {
            const long sent = s.send_to(numbered(sent_), addrs[i]);
            if (i == narrow && sent == -EMSGSIZE)
                refused_++;
            else
                EXPECT_EQ(sent, static_cast<long>(size)) << "to " << i;
        }
    }
    std::atomic<bool> stop_ = false;
    std::atomic<uint32_t> sent_ = 0, refused_ = 0, limit_ = 0;
    std::thread thread_;
};

class PathMtu : public Mirrored {};

constexpr uint32_t some = 20; // sends before and after

// What becomes of datagrams that do not fit any more.
struct Mode {
    const char *name;
    int discover;
    bool cut, refused;
};

void expect_narrow(World &w, const std::vector<sockaddr_in> &addrs, const Mode &mode, bool is_group)
{
    SCOPED_TRACE(std::string(mode.name) + (is_group ? ", a group" : ", sendto()"));
    In in(*w.sender);
    Tap &tap = w.taps.at("far");
    Sender s;
    const sockaddr_in local = address("0.0.0.0", 4000);
    ASSERT_EQ(bind(s.fd(), reinterpret_cast<const sockaddr *>(&local), sizeof(local)), 0);
    ASSERT_EQ(s.option(SOL_IP, IP_MTU_DISCOVER, mode.discover), 0);
    if (is_group) {
        ASSERT_EQ(s.set(addrs), 0);
    }
    ASSERT_EQ(path_mtu(addrs[narrow]), 1500);

    Log log(addrs[narrow]);
    Stream stream(s, addrs, is_group);
    auto await = [&](const std::function<bool()> &what) {
        return eventually([&] {
            log.look(tap.take(0));
            stream.go_on(log.of(addrs[0]).all());
            return what() || testing::Test::HasFailure();
        });
    };
    EXPECT_TRUE(await([&] { return stream.sent() >= some; }));
    send_fragmentation_needed(w, addrs[narrow], mtu);
    // Nobody else asks for the route meanwhile, which would be one more that is replaced
    EXPECT_TRUE(await([&] {
        const bool refused = is_group ? s.stat().totals.failed > 0 : stream.refused() > 0;
        return refused == mode.refused && (log.of(addrs[narrow]).cut > 0) == mode.cut;
    }));
    const uint32_t then = stream.sent();
    EXPECT_TRUE(await([&] { return stream.sent() > then + some; }));
    stream.stop();
    EXPECT_TRUE(eventually([&] { return path_mtu(addrs[narrow]) == mtu; }));

    const uint32_t sent = stream.sent();
    uint32_t refused = stream.refused();
    if (is_group) {
        const auto stat = s.stat();
        refused = static_cast<uint32_t>(stat.members.at(narrow).failed);
        EXPECT_EQ(stat.totals.failed, refused);
        EXPECT_EQ(stat.totals.sent, uint64_t{sent} * n - refused);
        // who lets others cut hears of no error
        const bool hears = mode.discover != IP_PMTUDISC_DONT;
        EXPECT_EQ(stat.totals.icmp, hears);
        EXPECT_EQ(stat.members.at(narrow).error, hears ? EMSGSIZE : 0);
    }
    for (size_t i = 0; i < n; i++) {
        const uint32_t wanted = i == narrow ? sent - refused : sent;
        EXPECT_TRUE(await([&] { return log.of(addrs[i]).all() == wanted; }))
            << "of " << wanted << " to member " << i << " arrive " << log.of(addrs[i]).all();
        if (i != narrow) {
            EXPECT_EQ(log.of(addrs[i]).cut, 0u) << "of member " << i;
        }
    }
    const auto counted = log.of(addrs[narrow]);
    EXPECT_GE(counted.whole, some);
    EXPECT_EQ(counted.cut >= some, mode.cut) << counted.cut;
    EXPECT_EQ(refused >= some, mode.refused) << refused;
    EXPECT_TRUE(mode.cut || !counted.cut) << counted.cut;
    EXPECT_TRUE(mode.refused || !refused) << refused;
    EXPECT_EQ(tap.lost(), 0u);
}

TEST_F(PathMtu, ByIcmpDuringSends)
{
    Change change(mirror(), "route add 10.41.0.0/16 via 10.1.0.254",
                  "route del 10.41.0.0/16\nroute flush cache");
    std::string net = "10.41.0.";
    for (const Mode &mode : {Mode{"DONT", IP_PMTUDISC_DONT, true, false},
                             {"WANT", IP_PMTUDISC_WANT, true, false},
                             {"DO", IP_PMTUDISC_DO, false, true},
                             {"PROBE", IP_PMTUDISC_PROBE, false, false}}) {
        // members of whom nothing is known yet
        net[6]++;
        const auto addrs = members(net, n);
        expect_narrow(mirror().one, addrs, mode, false);
        expect_narrow(mirror().group, addrs, mode, true);
        ASSERT_FALSE(HasFailure());
    }
}

} // namespace
} // namespace conformance
