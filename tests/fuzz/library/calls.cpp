// SPDX-License-Identifier: GPL-2.0-only
// libFuzzer: calls of the library's interface with the sendmmsg() backend, held
// against a model. What is sent goes to loopback, to nobody or to the process
// itself.
#include "input.hpp"
#include "model.hpp"

#include <groupcast/groupcast.h>

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace library_fuzz {
namespace {

// A bug, which libFuzzer keeps the input of.
void require(bool ok, const char *what)
{
    if (ok)
        return;
    std::fprintf(stderr, "not so: %s\n", what);
    std::abort();
}

class Session {
public:
    explicit Session(bool v6) : family_(v6 ? AF_INET6 : AF_INET)
    {
        fd_ = socket(family_, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        require(groupcast_new(&group_, fd_, GROUPCAST_SENDMMSG) == 0, "a group can be made");
    }
    ~Session()
    {
        groupcast_free(group_);
        close(fd_);
    }
    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;

    void step(Input &in)
    {
        switch (in.below(8)) {
        case 0:
            change(in.addresses(), &groupcast_set, &Model::set);
            break;
        case 1:
        case 2:
            change(in.addresses(), &groupcast_add, &Model::add);
            break;
        case 3:
            change(in.addresses(), &groupcast_del, &Model::del);
            break;
        case 4:
            groupcast_set_flags(group_, in.number<uint32_t>() & 3);
            break;
        case 5:
            send_with(in);
            break;
        case 6:
            send_message(in);
            break;
        default:
            option(in);
        }
        compare();
    }

private:
    using Call = int (*)(groupcast_group *, const void *, size_t);
    using ModelCall = int (Model::*)(std::span<const udp_group_addr>);

    void change(const std::vector<std::byte> &packed, Call call, ModelCall model_call)
    {
        const int err = call(group_, packed.data(), packed.size());
        std::vector<udp_group_addr> addrs;
        int expected = groupcast::internal::read_addresses(packed, family_, addrs);
        if (expected == 0 && packed.empty() && call != &groupcast_set)
            expected = -EINVAL;
        // the socket's state comes before what the group says
        if (err == -EISCONN || err == -EBUSY)
            return;
        if (expected == 0)
            expected = (model_.*model_call)(addrs);
        require(err == expected, "a change has the outcome that the model has");
    }

    void send_with(Input &in)
    {
        const auto skip = in.addresses();
        const auto prefixes = in.bytes(64);
        const auto data = in.bytes(512);
        groupcast_send_options options{};
        options.size = sizeof(options);
        options.skip = skip.data();
        options.skip_len = skip.size();
        options.range.first = static_cast<uint32_t>(in.below(8));
        options.range.count = static_cast<uint32_t>(in.below(8));
        options.prefixes = prefixes.data();
        options.prefixes_len = prefixes.size();
        options.prefix_len = static_cast<uint32_t>(in.below(16));
        options.generation = model_.generation() + (in.below(4) == 3 ? 1 : 0);
        options.spread = in.below(3) == 2 ? in.number<uint64_t>() : 0;
        groupcast_send_with(group_, data.data(), data.size(), flags(in), &options);
    }

    void send_message(Input &in)
    {
        auto control = in.bytes(512);
        auto first = in.bytes(128), second = in.bytes(512);
        iovec pieces[] = {{first.data(), first.size()}, {second.data(), second.size()}};
        msghdr msg{};
        msg.msg_iov = pieces;
        msg.msg_iovlen = in.below(3);
        msg.msg_control = control.data();
        msg.msg_controllen = control.size();
        auto name = in.addresses();
        if (in.below(8) == 7) {
            msg.msg_name = name.data();
            msg.msg_namelen = static_cast<socklen_t>(name.size());
        }
        groupcast_sendmsg(group_, &msg, flags(in));
    }

    static int flags(Input &in)
    {
        constexpr int all[] = {0, 0, 0, MSG_DONTWAIT, MSG_OOB, MSG_MORE, MSG_ZEROCOPY, MSG_CONFIRM};
        return all[in.below(std::size(all))] | MSG_DONTWAIT;
    }

    void option(Input &in)
    {
        constexpr int names[][2] = {{SOL_UDP, UDP_CORK},
                                    {SOL_SOCKET, SO_SNDBUF},
                                    {IPPROTO_IP, IP_RECVERR},
                                    {SOL_SOCKET, SO_BROADCAST}};
        const auto &name = names[in.below(std::size(names))];
        const int value = static_cast<int>(in.below(3));
        setsockopt(fd_, name[0], name[1], &value, sizeof(value));
    }

    // Reading shows what the model has.
    void compare()
    {
        std::vector<udp_grpstat_member> records(model_.members() + 1);
        udp_grpstat totals{};
        const int n = groupcast_stat(group_, &totals, records.data(), records.size());
        require(n >= 0 && static_cast<size_t>(n) == model_.members(), "as many members");
        require(totals.generation == model_.generation(), "the same generation");
        require(totals.slots == model_.slots().size(), "as many slots");
        size_t len = 0, next = 0;
        for (size_t slot = 0; slot < model_.slots().size(); slot++) {
            const auto &addr = model_.slots()[slot];
            if (!addr)
                continue;
            const auto &record = records[next++];
            require(record.slot == slot, "in the same slots");
            require(std::memcmp(&record.addr, &*addr, groupcast::internal::address_length(*addr)) ==
                        0,
                    "the same addresses");
            len += groupcast::internal::address_length(*addr);
        }
        std::vector<std::byte> packed(len);
        size_t room = len;
        require(groupcast_get(group_, packed.data(), &room) == 0 && room == len,
                "they can be read");
    }

    const sa_family_t family_;
    int fd_;
    groupcast_group *group_ = nullptr;
    Model model_;
};

} // namespace
} // namespace library_fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    library_fuzz::Input in({data, size});
    library_fuzz::Session session(in.below(2) == 1);
    while (!in.empty())
        session.step(in);
    return 0;
}
