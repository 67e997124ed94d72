#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes figures of what the plugin has counted.

    profile.py functions SYSTEM.MAP RUN [TOP]

RUN is a directory with results/windows, what slice printed, and
windows/window-N.tsv, what the plugin wrote.
"""

import bisect
import pathlib
import sys

USER = "(user space)"
COLUMNS = ("executed", "locked", "accesses", "l1_misses", "l2_misses")


class Symbols:
    """Functions of the kernel by address, from its System.map."""

    def __init__(self, path):
        text = {}
        for line in pathlib.Path(path).read_text().splitlines():
            address, kind, name = line.split()
            if kind in "tTwW":
                # of several names for one place a global one, then the shortest
                rank = (kind not in "TW", len(name), name)
                text.setdefault(int(address, 16), []).append((rank, name))
        self.addresses = sorted(text)
        self.names = [min(text[address])[1] for address in self.addresses]
        self.end = next(a for a in self.addresses
                        if any(name == "_einittext" for _, name in text[a]))

    def name(self, address):
        if address == 0:
            return USER
        at = bisect.bisect_right(self.addresses, address) - 1
        if at < 0 or address >= self.end:
            return f"(no function of the kernel: {address:x})"
        return self.names[at]


class Window:
    """What was counted in one window, by function."""

    def __init__(self, line, directory, symbols):
        fields = line.split()
        self.window, self.way = int(fields[0]), fields[1]
        self.members, self.bytes, self.sends = map(int, fields[2:5])
        self.clock, self.packets, self.due = map(int, fields[5:8])
        self.functions = {}
        path = pathlib.Path(directory, f"window-{self.window}.tsv")
        with path.open() as file:
            if tuple(next(file).split()) != ("address",) + COLUMNS:
                sys.exit(f"{path}: not what the plugin writes")
            for row in file:
                address, *counts = row.split()
                total = self.functions.setdefault(symbols.name(int(address, 16)),
                                                  dict.fromkeys(COLUMNS, 0))
                for column, count in zip(COLUMNS, counts):
                    total[column] += int(count)

    def total(self, column):
        return sum(counts[column] for counts in self.functions.values())

    def per_member(self, count):
        return count / (self.members * self.sends)


def load(system_map, run):
    symbols = Symbols(system_map)
    lines = pathlib.Path(run, "results/windows").read_text().splitlines()
    windows = [Window(line, pathlib.Path(run, "windows"), symbols) for line in lines]
    for w in windows:
        if w.packets != w.due:
            sys.exit(f"{w.way}: the device transmitted {w.packets} packets of {w.due}")
        # the clock is read outside of the window, which takes a few instructions
        off = w.clock / w.total("executed") - 1
        print(f"{w.way}, {w.members} members, {w.bytes} bytes: {w.total('executed')} instructions "
              f"counted, by the clock {w.clock} ({off:+.3%})", file=sys.stderr)
        if not 0 <= off < 0.01:
            sys.exit("the plugin and QEMU's clock do not agree")
    return windows


def functions(system_map, run, top="60"):
    for w in load(system_map, run):
        print(f"\n{w.way}, {w.members} members, {w.bytes} bytes: instructions a member, "
              f"{w.per_member(w.total('executed')):.1f}; locked {w.per_member(w.total('locked')):.2f}\n")
        print(f"{'instructions':>12} {'locked':>7}  function")
        ranked = sorted(w.functions.items(), key=lambda f: -f[1]["executed"])
        for name, counts in ranked[:int(top)]:
            print(f"{w.per_member(counts['executed']):12.2f} {w.per_member(counts['locked']):7.2f}"
                  f"  {name}")
        rest = sum(counts["executed"] for _, counts in ranked[int(top):])
        print(f"{w.per_member(rest):12.2f} {'':7}  ({len(ranked[int(top):])} more)")


if __name__ == "__main__":
    COMMANDS = {"functions": functions}
    if len(sys.argv) < 4 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]](*sys.argv[2:])
