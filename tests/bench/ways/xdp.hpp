// SPDX-License-Identifier: GPL-2.0-only
// AF_XDP in copy mode: frames made by the program, past everything between the
// socket and the driver. That is what it gains, and what it gives up.
#pragma once

#include "frame.hpp"

#include <linux/if_link.h>
#include <sys/mman.h>
#include <xdp/xsk.h>

namespace ways {

class Xdp final : public Way {
public:
    Xdp(const std::string &device, std::span<const sockaddr_in> members)
        : link_(device), area_(frames * size_t{frame_size}), socket_(link_, area_)
    {
        for (const auto &m : members)
            headers_.emplace_back(link_, m);
        for (uint64_t i = 0; i < frames; i++)
            free_.push_back(i * frame_size);
    }
    void send(std::span<const char> data) override
    {
        if (data.size() + sizeof(ether_header) + sizeof(iphdr) + sizeof(udphdr) > frame_size)
            throw NotPossible("AF_XDP: larger than a frame");
        const uint32_t sum = add_words(data);
        for (size_t done = 0; done < headers_.size();) {
            size_t n = std::min(headers_.size() - done, batch);
            while (free_.size() < n)
                progress();
            uint32_t at = 0;
            while (xsk_ring_prod__reserve(&socket_.tx, static_cast<uint32_t>(n), &at) != n)
                progress();
            for (size_t i = 0; i < n; i++) {
                xdp_desc *desc = xsk_ring_prod__tx_desc(&socket_.tx, at + static_cast<uint32_t>(i));
                desc->addr = free_.back();
                free_.pop_back();
                desc->len = static_cast<uint32_t>(
                    headers_[done + i].write(area_.data() + desc->addr, data, sum));
                desc->options = 0;
            }
            xsk_ring_prod__submit(&socket_.tx, static_cast<uint32_t>(n));
            done += n;
            kick();
        }
        // all of it is the kernel's when this returns, as with every way
        while (*socket_.tx.consumer != *socket_.tx.producer)
            progress();
    }
    void change(size_t i, const sockaddr_in &member) override { headers_[i] = {link_, member}; }

private:
    static constexpr uint64_t frames = 2048;
    static constexpr uint32_t frame_size = 2048;
    static constexpr size_t batch = 64;

    class Area {
    public:
        explicit Area(size_t size) : size_(size)
        {
            void *p =
                mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            check(p != MAP_FAILED, "mmap");
            data_ = static_cast<char *>(p);
        }
        Area(const Area &) = delete;
        Area &operator=(const Area &) = delete;
        ~Area() { munmap(data_, size_); }
        char *data() { return data_; }
        size_t size() const { return size_; }

    private:
        char *data_ = nullptr;
        size_t size_;
    };

    struct Socket {
        Socket(const Link &link, Area &area)
        {
            xsk_umem_config umem_config{};
            umem_config.fill_size = umem_config.comp_size = frames;
            umem_config.frame_size = frame_size;
            must(xsk_umem__create(&umem, area.data(), area.size(), &fill, &done, &umem_config),
                 "registering memory");
            xsk_socket_config config{};
            config.tx_size = frames;
            config.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
            config.xdp_flags = XDP_FLAGS_SKB_MODE;
            config.bind_flags = XDP_COPY;
            // A socket that was closed lets go of the device a little later.
            int result = 0;
            for (int tries = 0; tries < 100; tries++) {
                result =
                    xsk_socket__create(&xsk, link.device.c_str(), 0, umem, nullptr, &tx, &config);
                if (result != -EBUSY)
                    break;
                usleep(10'000);
            }
            if (result)
                xsk_umem__delete(umem);
            must(result, "binding to the device");
        }
        Socket(const Socket &) = delete;
        Socket &operator=(const Socket &) = delete;
        ~Socket()
        {
            xsk_socket__delete(xsk);
            xsk_umem__delete(umem);
        }
        static void must(int result, const char *what)
        {
            if (result)
                throw NotPossible(std::string("AF_XDP: ") + what + ": " + strerror(-result));
        }

        xsk_umem *umem = nullptr;
        xsk_socket *xsk = nullptr;
        xsk_ring_prod fill{}, tx{};
        xsk_ring_cons done{};
    };

    // The kernel takes 32 frames a call, or stops where the device is full.
    void kick()
    {
        ssize_t sent = sendto(xsk_socket__fd(socket_.xsk), nullptr, 0, MSG_DONTWAIT, nullptr, 0);
        check(sent >= 0 || errno == EAGAIN || errno == EBUSY || errno == ENOBUFS, "AF_XDP: sendto");
    }
    void progress()
    {
        kick();
        uint32_t at = 0;
        uint32_t n = xsk_ring_cons__peek(&socket_.done, frames, &at);
        for (uint32_t i = 0; i < n; i++)
            free_.push_back(*xsk_ring_cons__comp_addr(&socket_.done, at + i));
        xsk_ring_cons__release(&socket_.done, n);
    }

    Link link_;
    Area area_;
    Socket socket_;
    std::vector<FrameHeader> headers_;
    std::vector<uint64_t> free_;
};

} // namespace ways
