// SPDX-License-Identifier: GPL-2.0-only
#include "hunt.hpp"

#include "corpus.hpp"
#include "coverage.hpp"
#include "faults.hpp"
#include "generate.hpp"
#include "kernel_log.hpp"
#include "link.hpp"
#include "machine.hpp"

#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fuzz {

namespace {

constexpr size_t max_text = 1 << 16;
constexpr unsigned patience = 60; // seconds that no program needs

// What the process that runs the programs tells, also if it dies.
struct Shared {
    uint64_t programs, operations, places, corpus, mutated;
    double seconds;
    char problem[1024];
    char running[max_text]; // the program, and the one before it
};

double now()
{
    timespec ts{};
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return static_cast<double>(ts.tv_sec) + static_cast<double>(ts.tv_nsec) / 1e9;
}

template <size_t n> void put(char (&to)[n], const std::string &text)
{
    to[text.copy(to, n - 1)] = '\0';
}

// Calls that would wait for ever are interrupted.
void interrupt_at_times()
{
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGALRM, &action, nullptr);
    signal(SIGPIPE, SIG_IGN);
    const itimerval timer{.it_interval = {1, 0}, .it_value = {1, 0}};
    setitimer(ITIMER_REAL, &timer, nullptr);
}

class Hunter {
public:
    Hunter(const Plan &plan, Coverage &coverage, KernelLog &log, Shared &shared)
        : plan_(plan), log_(log), shared_(shared), random_(plan.seed), machine_(&coverage)
    {}

    void run()
    {
        const double start = now();
        for (const auto &program : load_corpus(plan_.from))
            if (!try_out(program, false))
                return;
        while ((shared_.seconds = now() - start) < plan_.seconds) {
            const bool is_new = corpus_.empty() || random_.one_in(4);
            const auto program = is_new ? generate(random_) : mutate(pick(), corpus_, random_);
            if (!try_out(program, !is_new))
                return;
        }
    }

private:
    // What came last leads on more often than what is known for long.
    const Program &pick()
    {
        const size_t n = corpus_.size();
        const size_t recent = std::min<size_t>(n, 32);
        return random_.one_in(3) ? corpus_[n - 1 - random_.below(recent)]
                                 : corpus_[random_.below(n)];
    }

    // The places of a program that are not known yet. False if something was
    // as it should not be.
    bool run_program(const Program &program, std::vector<uint64_t> &places)
    {
        put(shared_.running, to_text(program) + "# before it:\n" + before_);
        const auto problem = machine_.run(program, [&](std::span<const uint64_t> visited) {
            for (uint64_t place : visited)
                if (!known_.has(place))
                    places.push_back(place);
        });
        before_ = to_text(program);
        shared_.programs++;
        shared_.operations += program.size();
        const auto complaint = log_.complaint();
        if (problem.empty() && complaint.empty())
            return true;
        put(shared_.problem, problem.empty() ? "the kernel complained: " + complaint : problem);
        return false;
    }

    bool try_out(const Program &program, bool is_mutated)
    {
        std::vector<uint64_t> places;
        if (!run_program(program, places))
            return false;
        if (places.empty())
            return true;
        auto kept = program;
        const bool ok = minimise(kept, places);
        for (uint64_t place : places)
            known_.add(place);
        if (!plan_.to.empty())
            save_program(plan_.to, kept);
        corpus_.push_back(std::move(kept));
        shared_.places = known_.size();
        shared_.corpus = corpus_.size();
        shared_.mutated += is_mutated ? 1 : 0;
        return ok;
    }

    // Leaves out every operation that the new places do not need.
    bool minimise(Program &program, std::vector<uint64_t> &places)
    {
        std::sort(places.begin(), places.end());
        places.erase(std::unique(places.begin(), places.end()), places.end());
        for (size_t i = program.size(); i-- > 0 && program.size() > 1;) {
            auto shorter = program;
            shorter.erase(shorter.begin() + static_cast<ptrdiff_t>(i));
            std::vector<uint64_t> found;
            if (!run_program(shorter, found))
                return false;
            std::sort(found.begin(), found.end());
            if (std::includes(found.begin(), found.end(), places.begin(), places.end()))
                program = shorter;
        }
        return true;
    }

    const Plan &plan_;
    KernelLog &log_;
    Shared &shared_;
    Random random_;
    Machine machine_;
    PlaceSet known_;
    std::vector<Program> corpus_;
    std::string before_;
};

// Runs a function in a process of nobody's. Returns how it ended, if not well.
template <typename Function> std::string in_playground(Shared &shared, Function function)
{
    const pid_t pid = fork();
    if (pid < 0)
        throw std::runtime_error("fork");
    if (pid == 0) {
        try {
            function();
        } catch (const std::exception &e) {
            put(shared.problem, e.what());
        }
        _exit(0);
    }
    uint64_t programs = 0;
    int status = 0;
    for (unsigned idle = 0; waitpid(pid, &status, WNOHANG) == 0; idle++) {
        sleep(1);
        if (shared.programs != std::exchange(programs, shared.programs))
            idle = 0;
        if (idle < patience)
            continue;
        kill(pid, SIGKILL);
        return "a program does not end";
    }
    return WIFSIGNALED(status) ? std::string("died: ") + strsignal(WTERMSIG(status)) : "";
}

Shared &make_shared_memory()
{
    void *area =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED)
        throw std::runtime_error("mmap");
    return *static_cast<Shared *>(area);
}

} // namespace

Report hunt(const Plan &plan)
{
    Shared &shared = make_shared_memory();
    const QuietFaults faults;
    Coverage coverage;
    KernelLog log;
    std::string end = in_playground(shared, [&] {
        enter_playground();
        coverage.start();
        interrupt_at_times();
        Hunter(plan, coverage, log, shared).run();
    });
    Report report{shared.programs, shared.operations, shared.places, shared.corpus,
                  shared.mutated,  shared.seconds,    shared.problem};
    if (!end.empty())
        report.problem += (report.problem.empty() ? "" : "; ") + end;
    if (!report.problem.empty())
        report.problem += std::string("\n") + shared.running;
    munmap(&shared, sizeof(shared));
    return report;
}

std::string replay(const std::string &path, unsigned times)
{
    std::ifstream in(path);
    const auto program = from_text(std::string(std::istreambuf_iterator<char>(in), {}));
    Shared &shared = make_shared_memory();
    const QuietFaults faults;
    KernelLog log;
    std::string end = in_playground(shared, [&] {
        enter_playground();
        interrupt_at_times();
        Machine machine(nullptr);
        for (; times > 0 && shared.problem[0] == '\0'; times--) {
            put(shared.problem, machine.run(program, [](auto) {}));
            shared.programs++;
        }
    });
    std::string problem = shared.problem[0] != '\0' ? shared.problem : end;
    munmap(&shared, sizeof(shared));
    return problem.empty() ? log.complaint() : problem;
}

} // namespace fuzz
