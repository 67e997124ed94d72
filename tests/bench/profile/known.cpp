// SPDX-License-Identifier: GPL-2.0-only
// Programs whose counts are known, to test the plugin with: each is one piece of
// assembly between its marks. A line on standard output for each says what has
// to be counted of it in user space:
//
//   window name column=count... or column=least..most

#include "markers.hpp"

#include <sys/mman.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace {

// The marks are of no use to the asm statements below, which bring their own:
// the compiler must have no chance to put anything between.
#define BEGIN "nopl %c[begin](%%rax,%%rax,1)\n"
#define END "nopl %c[end](%%rax,%%rax,1)\n"
#define WINDOW(n)                                                                                  \
    [begin] "i"(markers::displacement(markers::Kind::begin, n)), [end] "i"(markers::displacement(  \
                                                                     markers::Kind::end, n))

void nothing()
{
    asm volatile(BEGIN END ::WINDOW(0));
    puts("0 nothing executed=0 locked=0");
}

void lock_incl()
{
    int counter = 0;
    asm volatile(BEGIN "mov $1000, %%ecx\n"
                       "1: lock incl %[counter]\n"
                       "dec %%ecx\n"
                       "jnz 1b\n" END
                 : [counter] "+m"(counter)
                 : WINDOW(1)
                 : "rcx", "cc", "memory");
    if (counter != 1000)
        throw std::logic_error("the loop is not what it should be");
    puts("1 lock-incl executed=3001 locked=1000");
}

// Six of the ten in the loop lock: those with LOCK, and XCHG with memory.
void mixed()
{
    alignas(16) uint64_t cell[2] = {};
    asm volatile(BEGIN "mov $100, %%esi\n"
                       "1: lock cmpxchg %%rdx, %[cell]\n"
                       "lock cmpxchg16b %[cell]\n"
                       "lock addw $1, %[cell]\n"
                       "xchg %%rdx, %[cell]\n"
                       "xchg %%dl, %[cell]\n"
                       "lock xadd %%edx, %[cell]\n"
                       "xchg %%rdx, %%rdi\n"
                       "mov $0xf0, %%edx\n"
                       "dec %%esi\n"
                       "jnz 1b\n" END
                 : [cell] "+m"(cell)
                 : WINDOW(2)
                 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "cc", "memory");
    puts("2 mixed executed=1001 locked=600");
}

// Reads 8 bytes every stride of size, rounds times.
template <unsigned window>
void walk(const std::byte *start, size_t size, size_t stride, size_t rounds)
{
    asm volatile(
        BEGIN "1: mov %[start], %%rsi\n"
              "2: mov (%%rsi), %%rax\n"
              "add %[stride], %%rsi\n"
              "cmp %[end_], %%rsi\n"
              "jb 2b\n"
              "dec %[rounds]\n"
              "jnz 1b\n" END
        : [rounds] "+r"(rounds)
        : WINDOW(window), [start] "r"(start), [stride] "r"(stride), [end_] "r"(start + size)
        : "rax", "rsi", "cc", "memory");
}

// With caches of 32 KiB and 1 MiB, least recently used first: an array that fits
// never misses once it is there; one that does not, walked in order, always does.
void walks()
{
    constexpr size_t large = 2 << 20, middle = 384 << 10, nearly = 36 << 10, small = 24 << 10,
                     line = 64;
    auto *memory = static_cast<std::byte *>(mmap(
        nullptr, large, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
    if (memory == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(), "mmap");
    memset(memory, 1, large);

    // what it reads, and a line or two of its own code that was not there yet
    auto say = [](unsigned window, const char *name, size_t steps, size_t rounds, size_t l1d,
                  size_t l2) {
        printf("%u %s executed=%zu locked=0 accesses=%zu l1d_misses=%zu l2_misses=%zu..%zu\n",
               window, name, (4 * steps + 3) * rounds, steps * rounds, l1d, l2, l2 + 4);
    };
    markers::warm();
    walk<3>(memory, large, line, 2);
    say(3, "larger-than-l2", large / line, 2, 2 * large / line, 2 * large / line);

    // every access at the end of a line, and so in two
    markers::warm();
    walk<4>(memory + line - 4, large - 2 * line, 2 * line, 1);
    say(4, "across-lines", large / line / 2 - 1, 1, large / line - 2, large / line - 2);

    auto touch = [](const std::byte *start, size_t size) {
        for (size_t i = 0; i < size; i += line)
            asm volatile("" ::"r"(static_cast<const volatile std::byte *>(start)[i]));
    };
    markers::warm();
    touch(memory, middle);
    walk<5>(memory, middle, line, 2);
    say(5, "fits-l2", middle / line, 2, 2 * middle / line, 0);

    // nine lines for the eight ways of each set
    markers::warm();
    touch(memory, nearly);
    walk<6>(memory, nearly, line, 50);
    say(6, "larger-than-l1", nearly / line, 50, 50 * nearly / line, 0);

    markers::warm();
    touch(memory, small);
    walk<7>(memory, small, line, 100);
    say(7, "fits-l1", small / line, 100, 0, 0);
}

// A run of code as long as 2,048 lines, twice: the second time it is in the
// second level and not in the first. A nop of 8 bytes, 8 of them a line.
void straight_code()
{
    asm volatile("jmp 2f\n"
                 ".balign 64\n"
                 "1: .rept 2048 * 8\n"
                 ".byte 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0\n"
                 ".endr\n"
                 "ret\n"
                 "2: nopl %c[warm](%%rax,%%rax,1)\n"
                 "sub $128, %%rsp\n"
                 "call 1b\n" BEGIN "call 1b\n" END "add $128, %%rsp\n" ::WINDOW(8),
                 [warm] "i"(markers::displacement(markers::Kind::warm, 0))
                 : "memory");
    printf("8 code executed=%d locked=0 l1i_misses=2048..2060 fetches=2048..2060 l2_misses=0..4\n",
           2048 * 8 + 2);
}

} // namespace

int main()
try {
    if (mlockall(MCL_CURRENT | MCL_FUTURE))
        throw std::system_error(errno, std::generic_category(), "mlockall");
    nothing();
    lock_incl();
    mixed();
    walks();
    straight_code();
    return 0;
} catch (const std::exception &e) {
    fprintf(stderr, "known: %s\n", e.what());
    return 1;
}
