// SPDX-License-Identifier: GPL-2.0-only
// A plugin for QEMU's TCG that counts what a guest executes between two marks
// of its own (markers.hpp), by address:
//
//   -plugin profile.so,out=DIR[,cache=on][,l1i=BYTES:WAYS][,l1d=...][,l2=...]
//
// Every window leaves DIR/window-N.tsv, lines for each address of the kernel
// that was executed, and for address 0, which is everything in user space:
//
//   address executed locked accesses l1d_misses fetches l1i_misses l2_misses
//
// DIR/model says which caches were modelled.
//
// Counting is by each instruction and not by block, because a fault leaves a
// block in its middle. One that faults and is restarted is counted twice, as
// QEMU's own clock (-icount) does. Counters always run and are set to zero where
// a window begins, so that nothing has to be translated anew there.
//
// The caches (cache.hpp) are modelled on physical addresses. Instructions are
// fetched line by line a block: what a block runs through in one line is one
// fetch. User space's instructions are at their virtual addresses, so nothing
// else is where they are. What QEMU does for the processor without an
// instruction (page walks, the frame of an interrupt) is not seen. The model
// runs from the mark "warm" on, or from "begin", to the next "end".

#include "cache.hpp"
#include "qemu_plugin.hpp"
#include "x86.hpp"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <unordered_map>

namespace {

// Where something is executed, and what happened there.
struct Site {
    uint64_t address = 0;
    bool locks = false;
    uint64_t executed = 0;
    uint64_t accesses = 0, l1d_misses = 0, fetches = 0, l1i_misses = 0, l2_misses = 0;

    void clear() { executed = accesses = l1d_misses = fetches = l1i_misses = l2_misses = 0; }
};

// The lines that a block's instructions are in.
struct Fetch {
    Site *site;
    uint64_t first, last;
};

struct Caches {
    cache::Level l1i, l1d, l2;
};

// A window that is not what it should be would be a wrong figure: it ends QEMU,
// and boot.sh finds no verdict.
[[noreturn]] void fail(const std::string &what)
{
    fprintf(stderr, "profile plugin: %s\n", what.c_str());
    _Exit(1);
}

class Profile {
public:
    explicit Profile(std::filesystem::path out) : out_(std::move(out)) {}

    void model(Caches caches) { caches_ = std::make_unique<Caches>(std::move(caches)); }
    bool models() const { return caches_ != nullptr; }

    // The site of an instruction. Linux patches its own text: what is locked at
    // one time and not at another is at two sites.
    Site &site(uint64_t address, bool locks)
    {
        if (!(address >> 63))
            address = 0;
        auto &slot = index_[locks][address];
        if (!slot) {
            slot = &sites_.emplace_back();
            slot->address = address;
            slot->locks = locks;
        }
        return *slot;
    }

    void mark(x86::Marker m)
    {
        switch (m.kind) {
        case markers::Kind::warm:
            if (window_ >= 0)
                fail("warming inside a window");
            modelling_ = models();
            break;
        case markers::Kind::begin:
            if (window_ >= 0)
                fail("a window inside a window");
            window_ = static_cast<int>(m.window);
            modelling_ = models();
            for (auto &s : sites_)
                s.clear();
            break;
        case markers::Kind::end:
            if (window_ != static_cast<int>(m.window))
                fail("the end of another window");
            modelling_ = false;
            write();
            window_ = -1;
            break;
        }
    }

    void access(Site &site, qemu_plugin_meminfo_t info, uint64_t vaddr)
    {
        if (!modelling_)
            return;
        const auto *where = qemu_plugin_get_hwaddr(info, vaddr);
        if (!where || qemu_plugin_hwaddr_is_io(where))
            return;
        site.accesses++;
        // what is behind the end of a page is taken to be in the next one
        const uint64_t first = qemu_plugin_hwaddr_phys_addr(where);
        const uint64_t last = first + (1ULL << qemu_plugin_mem_size_shift(info)) - 1;
        for (uint64_t line = first >> cache::line_shift; line <= last >> cache::line_shift; line++)
            if (!caches_->l1d.access(line)) {
                site.l1d_misses++;
                site.l2_misses += !caches_->l2.access(line);
            }
    }

    // What a block's execution calls for. Linux's text is mapped in one piece.
    Fetch &fetch_of(Site &site, uint64_t first, uint64_t last)
    {
        constexpr uint64_t text = 0xffff'ffff'8000'0000, elsewhere = 1ULL << 62;
        auto line = [&](uint64_t address) {
            return (address >= text ? address - text : address | elsewhere) >> cache::line_shift;
        };
        return fetches_.emplace_back(Fetch{&site, line(first), line(last)});
    }

    void fetch(const Fetch &fetch)
    {
        if (!modelling_)
            return;
        for (uint64_t line = fetch.first; line <= fetch.last; line++) {
            fetch.site->fetches++;
            if (!caches_->l1i.access(line)) {
                fetch.site->l1i_misses++;
                fetch.site->l2_misses += !caches_->l2.access(line);
            }
        }
    }

private:
    void write() const
    {
        const auto path = out_ / ("window-" + std::to_string(window_) + ".tsv");
        if (std::filesystem::exists(path))
            fail("window " + std::to_string(window_) + " was there before");
        std::ofstream file(path);
        file << "address\texecuted\tlocked\taccesses\tl1d_misses\tfetches\tl1i_misses\tl2_misses\n";
        for (const auto &s : sites_)
            if (s.executed || s.accesses || s.fetches)
                file << std::hex << s.address << std::dec << '\t' << s.executed << '\t'
                     << (s.locks ? s.executed : 0) << '\t' << s.accesses << '\t' << s.l1d_misses
                     << '\t' << s.fetches << '\t' << s.l1i_misses << '\t' << s.l2_misses << '\n';
        if (!file.flush())
            fail("cannot write " + path.string());
    }

    std::filesystem::path out_;
    std::unique_ptr<Caches> caches_;
    std::deque<Site> sites_; // translated code points into these
    std::deque<Fetch> fetches_;
    std::array<std::unordered_map<uint64_t, Site *>, 2> index_;
    int window_ = -1;
    bool modelling_ = false;
};

std::unique_ptr<Profile> profile;

void on_mark(unsigned, void *data)
{
    const auto displacement = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(data));
    profile->mark({static_cast<markers::Kind>(displacement >> 8 & 0xff), displacement & 0xff});
}

void on_access(unsigned, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
    profile->access(*static_cast<Site *>(data), info, vaddr);
}

void on_block(unsigned, void *data) { profile->fetch(*static_cast<Fetch *>(data)); }

x86::Bytes bytes_of(const qemu_plugin_insn *insn)
{
    return {static_cast<const uint8_t *>(qemu_plugin_insn_data(insn)), qemu_plugin_insn_size(insn)};
}

void on_instruction(qemu_plugin_insn *insn)
{
    const auto bytes = bytes_of(insn);
    // a mark is not in its window
    if (auto m = x86::marker(bytes)) {
        const uintptr_t data = markers::displacement(m->kind, m->window);
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, QEMU_PLUGIN_CB_NO_REGS,
                                               reinterpret_cast<void *>(data)); // NOLINT
        return;
    }
    auto &site = profile->site(qemu_plugin_insn_vaddr(insn), x86::locks(bytes));
    qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &site.executed, 1);
    if (profile->models())
        qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW, &site);
}

void on_translation(qemu_plugin_id_t, qemu_plugin_tb *block)
{
    const size_t n = qemu_plugin_tb_n_insns(block);
    for (size_t i = 0; i < n; i++)
        on_instruction(qemu_plugin_tb_get_insn(block, i));
    if (n && profile->models()) {
        const auto *first = qemu_plugin_tb_get_insn(block, 0);
        const auto *last = qemu_plugin_tb_get_insn(block, n - 1);
        const uint64_t begin = qemu_plugin_insn_vaddr(first);
        auto &fetch =
            profile->fetch_of(profile->site(begin, x86::locks(bytes_of(first))), begin,
                              qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last) - 1);
        qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, QEMU_PLUGIN_CB_NO_REGS, &fetch);
    }
}

} // namespace

extern "C" {

[[gnu::visibility("default")]] int qemu_plugin_version = 1;

[[gnu::visibility("default")]] int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info,
                                                       int argc, char **argv)
try {
    if (std::string(info->target_name) != "x86_64" || !info->system_emulation ||
        info->system.max_vcpus != 1)
        throw std::runtime_error("it is for an x86_64 guest with one CPU");
    std::unordered_map<std::string, std::string> options{{"out", ""},
                                                         {"cache", "off"},
                                                         {"l1i", "32768:8"},
                                                         {"l1d", "32768:8"},
                                                         {"l2", "1048576:16"}};
    for (int i = 0; i < argc; i++) {
        const std::string option = argv[i];
        const size_t equals = option.find('=');
        auto known = options.find(option.substr(0, equals));
        if (known == options.end() || equals == std::string::npos)
            throw std::runtime_error("no such option: " + option);
        known->second = option.substr(equals + 1);
    }
    if (!std::filesystem::is_directory(options["out"]))
        throw std::runtime_error("out= names no directory");
    profile = std::make_unique<Profile>(options["out"]);
    const bool cache = options["cache"] == "on" || options["cache"] == "true";
    std::ofstream(options["out"] + "/model")
        << (cache ? "L1i " + options["l1i"] + "\nL1d " + options["l1d"] + "\nL2 " + options["l2"] +
                        "\n"
                  : "");
    if (cache)
        profile->model({cache::level(options["l1i"]), cache::level(options["l1d"]),
                        cache::level(options["l2"])});
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
} catch (const std::exception &e) {
    fprintf(stderr, "profile plugin: %s\n", e.what());
    return 1;
}
}
