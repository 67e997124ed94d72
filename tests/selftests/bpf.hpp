// SPDX-License-Identifier: GPL-2.0-only
// BPF programs, and the control groups that they are attached to.
#pragma once

#include "tomoyo.hpp"

#include <linux/bpf.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace selftest {

// BPF programs, small enough to be written down as instructions.
inline constexpr uint8_t r0 = BPF_REG_0, r1 = BPF_REG_1, r2 = BPF_REG_2, r3 = BPF_REG_3,
                         r4 = BPF_REG_4, r10 = BPF_REG_10;

inline bpf_insn insn(int code, uint8_t dst, uint8_t src, int off, int32_t imm)
{
    bpf_insn i{};
    i.code = static_cast<uint8_t>(code);
    i.dst_reg = dst & 15;
    i.src_reg = src & 15;
    i.off = static_cast<int16_t>(off);
    i.imm = imm;
    return i;
}

inline bpf_insn set(uint8_t reg, int32_t value)
{
    return insn(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value);
}
inline bpf_insn copy(uint8_t to, uint8_t from)
{
    return insn(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}
inline bpf_insn add(uint8_t reg, int32_t value)
{
    return insn(BPF_ALU64 | BPF_ADD | BPF_K, reg, 0, 0, value);
}
inline bpf_insn load(uint8_t to, uint8_t from, size_t off)
{
    return insn(BPF_LDX | BPF_MEM | BPF_W, to, from, static_cast<int>(off), 0);
}
inline bpf_insn load_half(uint8_t to, uint8_t from, size_t off)
{
    return insn(BPF_LDX | BPF_MEM | BPF_H, to, from, static_cast<int>(off), 0);
}
inline bpf_insn load_pointer(uint8_t to, uint8_t from, size_t off)
{
    return insn(BPF_LDX | BPF_MEM | BPF_DW, to, from, static_cast<int>(off), 0);
}
inline bpf_insn store(uint8_t to, uint8_t from, size_t off)
{
    return insn(BPF_STX | BPF_MEM | BPF_W, to, from, static_cast<int>(off), 0);
}
inline bpf_insn store_half(uint8_t to, uint8_t from, size_t off)
{
    return insn(BPF_STX | BPF_MEM | BPF_H, to, from, static_cast<int>(off), 0);
}
inline bpf_insn skip_unless(uint8_t reg, int32_t value, int insns)
{
    return insn(BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, insns, value);
}
inline bpf_insn skip_if(uint8_t reg, int32_t value, int insns)
{
    return insn(BPF_JMP32 | BPF_JEQ | BPF_K, reg, 0, insns, value);
}
inline bpf_insn call(int32_t helper) { return insn(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
inline bpf_insn leave() { return insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

inline long bpf(int cmd, union bpf_attr &attr)
{
    return syscall(SYS_bpf, cmd, &attr, sizeof(attr));
}

class Program {
public:
    Program(uint32_t type, uint32_t attach_type, const std::vector<bpf_insn> &insns)
        : attach_type_(attach_type)
    {
        union bpf_attr attr {};
        attr.prog_type = type;
        attr.expected_attach_type = type == BPF_PROG_TYPE_SCHED_CLS ? 0 : attach_type;
        load(attr, insns);
    }
    // One that decides as a security module does, at the hook that has this
    // number among the kernel's types.
    static Program security_module(uint32_t hook, uint32_t flags,
                                   const std::vector<bpf_insn> &insns)
    {
        Program p(BPF_LSM_MAC);
        union bpf_attr attr {};
        attr.prog_type = BPF_PROG_TYPE_LSM;
        attr.expected_attach_type = BPF_LSM_MAC;
        attr.attach_btf_id = hook;
        attr.prog_flags = flags;
        p.load(attr, insns);
        return p;
    }
    // To a cgroup's descriptor or to a device's index.
    void attach(int target) const
    {
        union bpf_attr attr {};
        attr.target_fd = static_cast<uint32_t>(target);
        attr.attach_bpf_fd = static_cast<uint32_t>(fd_.get());
        attr.attach_type = attach_type_;
        if (bpf(BPF_PROG_ATTACH, attr) < 0)
            throw std::runtime_error(std::string("BPF attach: ") + strerror(errno));
    }

    // To what a device receives, for as long as the descriptor is open.
    Fd attach_xdp(const std::string &device, uint32_t flags) const
    {
        return link(if_nametoindex(device.c_str()), flags);
    }
    // To the system, for as long as the descriptor is open.
    Fd attach_security_module() const { return link(0, 0); }

private:
    explicit Program(uint32_t attach_type) : attach_type_(attach_type) {}
    void load(union bpf_attr &attr, const std::vector<bpf_insn> &insns)
    {
        std::string log(65536, '\0');
        attr.insns = reinterpret_cast<uintptr_t>(insns.data());
        attr.insn_cnt = static_cast<uint32_t>(insns.size());
        attr.license = reinterpret_cast<uintptr_t>("GPL");
        attr.log_buf = reinterpret_cast<uintptr_t>(log.data());
        attr.log_size = static_cast<uint32_t>(log.size());
        attr.log_level = 1;
        fd_ = Fd(static_cast<int>(bpf(BPF_PROG_LOAD, attr)));
        if (fd_.get() < 0)
            throw std::runtime_error(std::string("BPF: ") + strerror(errno) + "\n" +
                                     log.substr(0, log.find('\0')));
    }
    Fd link(uint32_t target, uint32_t flags) const
    {
        union bpf_attr attr {};
        attr.link_create.prog_fd = static_cast<uint32_t>(fd_.get());
        attr.link_create.target_ifindex = target;
        attr.link_create.attach_type = attach_type_;
        attr.link_create.flags = flags;
        Fd fd(static_cast<int>(bpf(BPF_LINK_CREATE, attr)));
        if (fd.get() < 0)
            throw std::runtime_error(std::string("BPF link: ") + strerror(errno));
        return fd;
    }

    Fd fd_;
    uint32_t attach_type_;
};

// A control group that a program is attached to.
class Cgroup {
public:
    Cgroup() : path_("/sys/fs/cgroup/policy_test")
    {
        if (mkdir(path_.c_str(), 0755) < 0)
            throw std::runtime_error(path_ + ": " + strerror(errno));
        fd_ = Fd(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    ~Cgroup() { EXPECT_EQ(rmdir(path_.c_str()), 0) << strerror(errno); }
    int fd() const { return fd_.get(); }
    // What this process opens from here on is the control group's.
    void enter() const { write_file(path_ + "/cgroup.procs", std::to_string(getpid())); }

private:
    std::string path_;
    Fd fd_;
};

inline int32_t number(std::string_view ip)
{
    return static_cast<int32_t>(address(ip, 0).sin_addr.s_addr);
}

// The last word of an IPv6 address.
inline int32_t last_word(uint32_t host) { return static_cast<int32_t>(htonl(host)); }

// Runs at a sendmsg() to this address.
inline Program at_sendmsg(std::string_view ip, std::vector<bpf_insn> then)
{
    std::vector<bpf_insn> insns{load(r2, r1, offsetof(bpf_sock_addr, user_ip4)),
                                skip_unless(r2, number(ip), static_cast<int>(then.size()))};
    insns.insert(insns.end(), then.begin(), then.end());
    insns.push_back(set(r0, 1));
    insns.push_back(leave());
    return {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG, insns};
}

// Has one verdict on packets with this word there, in network byte order, and
// another on all others.
inline Program on_word(uint32_t type, uint32_t attach_type, int offset, int32_t word, int verdict,
                       int otherwise)
{
    return {type,
            attach_type,
            {set(r2, offset), copy(r3, r10), add(r3, -4), set(r4, 4), call(BPF_FUNC_skb_load_bytes),
             load(r2, r10, static_cast<size_t>(-4)), skip_unless(r2, word, 2), set(r0, verdict),
             leave(), set(r0, otherwise), leave()}};
}

// The same on packets to this address. The packet begins with its IP header at
// an offset.
inline Program on_packet(uint32_t type, uint32_t attach_type, int ip_header, std::string_view ip,
                         int verdict, int otherwise)
{
    return on_word(type, attach_type, ip_header + 16, number(ip), verdict, otherwise);
}

} // namespace selftest
