// SPDX-License-Identifier: GPL-2.0-only
// A queue of netfilter's to user space, by netlink: what waits there, and what
// becomes of it.
#pragma once

#include "support.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

namespace selftest {

class NfQueue {
public:
    struct Packet {
        uint32_t id; // in network byte order, as the kernel wants it back
        std::string bytes;
    };

    explicit NfQueue(uint16_t number)
        : number_(number), fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER))
    {
        set_patience(fd_.get());
        nfqnl_msg_config_cmd bind{NFQNL_CFG_CMD_BIND, 0, htons(AF_INET)};
        configure(NFQA_CFG_CMD, &bind, sizeof(bind));
        nfqnl_msg_config_params params{htonl(65535), NFQNL_COPY_PACKET};
        configure(NFQA_CFG_PARAMS, &params, sizeof(params));
    }

    // The next packet, for which it waits.
    Packet next()
    {
        alignas(nlmsghdr) char buf[70000];
        ssize_t n = recv(fd_.get(), buf, sizeof(buf), 0);
        auto h = reinterpret_cast<nlmsghdr *>(buf);
        if (n < 0 || h->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
            throw std::runtime_error("no packet in the queue");
        Packet p{};
        const char *end = buf + h->nlmsg_len;
        for (const char *at = buf + NLMSG_SPACE(sizeof(nfgenmsg)); at < end;) {
            nlattr a;
            memcpy(&a, at, sizeof(a));
            const char *value = at + NLA_HDRLEN;
            if ((a.nla_type & NLA_TYPE_MASK) == NFQA_PACKET_HDR)
                memcpy(&p.id, value, sizeof(p.id));
            if ((a.nla_type & NLA_TYPE_MASK) == NFQA_PAYLOAD)
                p.bytes.assign(value, a.nla_len - NLA_HDRLEN);
            at += NLA_ALIGN(a.nla_len);
        }
        return p;
    }

    // NF_ACCEPT or NF_DROP; with other bytes than it had, unless there are none.
    void decide(const Packet &p, uint32_t verdict, const std::string &bytes = {})
    {
        Request request(number_, NFQNL_MSG_VERDICT);
        nfqnl_msg_verdict_hdr header{htonl(verdict), p.id};
        request.add(NFQA_VERDICT_HDR, &header, sizeof(header));
        if (!bytes.empty())
            request.add(NFQA_PAYLOAD, bytes.data(), bytes.size());
        request.send(fd_.get(), false);
    }

private:
    class Request {
    public:
        Request(uint16_t queue, uint16_t type) : bytes_(NLMSG_SPACE(sizeof(nfgenmsg)), '\0')
        {
            nfgenmsg of{AF_UNSPEC, NFNETLINK_V0, htons(queue)};
            memcpy(bytes_.data() + NLMSG_HDRLEN, &of, sizeof(of));
            header().nlmsg_type = static_cast<uint16_t>(NFNL_SUBSYS_QUEUE << 8 | type);
        }
        void add(uint16_t type, const void *value, size_t len)
        {
            nlattr a{static_cast<uint16_t>(NLA_HDRLEN + len), type};
            bytes_.append(reinterpret_cast<char *>(&a), sizeof(a));
            bytes_.append(static_cast<const char *>(value), len);
            bytes_.resize(NLMSG_ALIGN(bytes_.size()));
        }
        void send(int fd, bool acknowledged)
        {
            header().nlmsg_len = static_cast<uint32_t>(bytes_.size());
            header().nlmsg_flags = NLM_F_REQUEST;
            if (acknowledged)
                header().nlmsg_flags |= NLM_F_ACK;
            if (::send(fd, bytes_.data(), bytes_.size(), 0) < 0)
                throw std::runtime_error("netlink");
            nlmsgerr error{};
            alignas(nlmsghdr) char buf[1024];
            if (acknowledged && recv(fd, buf, sizeof(buf), 0) > 0)
                memcpy(&error, buf + NLMSG_HDRLEN, sizeof(error));
            if (error.error)
                throw std::runtime_error(std::string("NFQUEUE: ") + strerror(-error.error));
        }

    private:
        nlmsghdr &header() { return *reinterpret_cast<nlmsghdr *>(bytes_.data()); }
        std::string bytes_;
    };

    void configure(uint16_t type, const void *value, size_t len)
    {
        Request request(number_, NFQNL_MSG_CONFIG);
        request.add(type, value, len);
        request.send(fd_.get(), true);
    }

    uint16_t number_;
    Fd fd_;
};

} // namespace selftest
