// SPDX-License-Identifier: GPL-2.0-only
#include "difference.hpp"

#include "mirror.hpp"

#include <iomanip>
#include <numeric>

namespace conformance {

namespace {

// The IP identifier where it is a counter, and the header's checksum as far as
// that explains it: the identifier is looked at by itself, and the checksum is
// computed again. Of IPv6, what identifies fragments, which the kernel draws at
// random. A flow label that it makes does not differ: it is made of the flow.
std::string comparable(const Frame &f)
{
    std::string bytes = f.bytes;
    if (f.is_ip6()) {
        if (f.fragment_header())
            bytes.replace(f.fragment_header() + 4, 4, 4, '\0');
        return bytes;
    }
    bytes.replace(Frame::ip + 4, 2, 2, '\0');
    bytes.replace(Frame::ip + 10, 2, 2, '\0');
    return bytes;
}

bool header_sum_is_right(const Frame &f)
{
    return f.is_ip6() || fold(f.bytes.substr(Frame::ip, f.header_length())) == 0xffff;
}

std::string hex(const std::string &bytes, size_t around)
{
    std::ostringstream out;
    size_t from = around / 16 * 16;
    for (size_t i = from; i < std::min(bytes.size(), from + 32); i++)
        out << (i == around ? " >" : " ") << std::hex << std::setw(2) << std::setfill('0')
            << int(static_cast<uint8_t>(bytes[i]));
    return out.str();
}

void expect_same_frame(const Frame &one, const Frame &group, size_t number)
{
    SCOPED_TRACE("frame " + std::to_string(number));
    const std::string a = comparable(one), b = comparable(group);
    if (a != b) {
        size_t at = 0;
        while (at < std::min(a.size(), b.size()) && a[at] == b[at])
            at++;
        ADD_FAILURE() << "differs at byte " << at << ", " << a.size() << " and " << b.size()
                      << " bytes\nsendto:" << hex(a, at) << "\ngroup: " << hex(b, at);
    }
    EXPECT_TRUE(header_sum_is_right(one)) << "sendto's";
    EXPECT_TRUE(header_sum_is_right(group)) << "the group's";
    EXPECT_EQ(one.type, group.type);
    // whether the checksum is still to be made, is known to be right, ...
    EXPECT_EQ(one.aux.tp_status, group.aux.tp_status);
    EXPECT_EQ(one.aux.tp_len, group.aux.tp_len);
    EXPECT_EQ(one.aux.tp_net, group.aux.tp_net);
    EXPECT_EQ(one.aux.tp_vlan_tci, group.aux.tp_vlan_tci);
    EXPECT_EQ(one.aux.tp_vlan_tpid, group.aux.tp_vlan_tpid);
}

// The frames of one destination after the other, if asked for.
std::vector<const Frame *> in_order(const std::vector<Frame> &frames, bool ordered)
{
    std::vector<const Frame *> order;
    for (const auto &f : frames)
        order.push_back(&f);
    if (!ordered)
        std::stable_sort(order.begin(), order.end(), [](const Frame *a, const Frame *b) {
            return a->destination() < b->destination();
        });
    return order;
}

// Fragments of a datagram have its identifier, which in IPv6 is no other's, nor 0.
void expect_whole_datagrams(const std::vector<const Frame *> &frames)
{
    std::set<std::string> idents{std::string(4, '\0')};
    for (size_t i = 0; i < frames.size(); i++) {
        if (!frames[i]->is_later_fragment()) {
            EXPECT_TRUE(!frames[i]->fragment_header() ||
                        idents.insert(frames[i]->datagram()).second)
                << "two datagrams with one identifier";
            continue;
        }
        ASSERT_GT(i, 0u) << "begins with a later fragment";
        EXPECT_TRUE(frames[i]->datagram() == frames[i - 1]->datagram())
            << "fragments of two datagrams";
    }
}

// Where sendto() sends no identifier, but 0, the group must, too; and where it
// sends a counter, that. One counter may be at 0, not all of several. What comes
// through tunnels has one beside what has none.
void expect_same_kind_of_ident(const std::vector<const Frame *> &one,
                               const std::vector<const Frame *> &group)
{
    for (bool df : {false, true}) {
        size_t all = 0, zero = 0, differ = 0;
        for (size_t i = 0; i < std::min(one.size(), group.size()); i++) {
            const Frame &a = *one[i], &b = *group[i];
            if (a.is_ip6() || a.dont_fragment() != df || a.is_later_fragment())
                continue;
            all++;
            zero += !a.ident();
            differ += !a.ident() != !b.ident();
        }
        if (all >= 3) {
            EXPECT_LE(differ, zero == all ? 0u : 1u) << "IP identifiers that are 0 of only one, of "
                                                     << all << " frames; sendto() has " << zero;
        }
    }
}

} // namespace

void expect_same_frames(const std::vector<Frame> &one, const std::vector<Frame> &group,
                        bool ordered)
{
    auto a = in_order(one, ordered), b = in_order(group, ordered);
    for (size_t i = 0; i < std::min(a.size(), b.size()); i++) {
        int before = failures();
        expect_same_frame(*a[i], *b[i], i);
        if (failures() != before)
            return; // one of a kind is enough
    }
    EXPECT_EQ(one.size(), group.size());
    expect_whole_datagrams(a);
    expect_whole_datagrams(b);
    expect_same_kind_of_ident(a, b);
}

} // namespace conformance
