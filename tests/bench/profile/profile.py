#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes figures of what the plugin has counted.

    profile.py functions KERNEL RUN TOP
        functions by instructions a member, for people
    profile.py known KERNEL RUN
        whether the plugin counted what the program "known" says
    profile.py slices KERNEL OUT.JSON COMMAND RUN
        instructions a member by layer (layers.txt)
    profile.py card KERNEL OUT.JSON COMMAND RUN
        the same, of an emulated card
    profile.py locked KERNEL OUT.JSON COMMAND RUN...
        instructions that lock the bus
    profile.py cache KERNEL OUT.JSON COMMAND RUN
        misses of the modelled caches

KERNEL is a directory with a System.map. RUN is one with results/, what the
guest left (windows is what slice printed), and windows/window-N.tsv, what the
plugin wrote. Of several windows for the same thing the median one is taken. A
window that cannot be trusted ends the program.
"""

import bisect
import fnmatch
import functools
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
USER = "(user space)"
OTHER = "other"
COLUMNS = ("executed", "locked", "accesses", "l1d_misses", "fetches", "l1i_misses", "l2_misses")
SNDBUF = 64 << 20  # what slice.cpp sets


class Symbols:
    """Functions of the kernel by address, from its System.map; a module's as the guest says."""

    def __init__(self, kernel, run):
        self.module = sorted((int(line.split()[0], 16), line.split()[2])
                             for line in lines_of(run, "module") if line.split()[1] in "tT")
        text = {}
        for line in pathlib.Path(kernel, "System.map").read_text().splitlines():
            address, kind, name = line.split()
            if kind in "tTwW":
                # of several names for one place none of a section's ends, a global
                # one, the shortest
                rank = (name.endswith(("_start", "_end")), kind not in "TW", len(name), name)
                text.setdefault(int(address, 16), []).append((rank, name))
        self.addresses = sorted(text)
        self.names = [min(text[address])[1] for address in self.addresses]
        self.end = next(a for a in self.addresses
                        if any(name == "_einittext" for _, name in text[a]))

    def name(self, address):
        if address == 0:
            return USER
        in_module = bisect.bisect_right(self.module, (address, "~")) - 1
        if in_module >= 0:
            return self.module[in_module][1]
        at = bisect.bisect_right(self.addresses, address) - 1
        if at < 0 or address >= self.end:
            return f"(no function of the kernel: {address:x})"
        return self.names[at]


class Layers:
    """Layers of functions, from layers.txt."""

    def __init__(self, path=HERE / "layers.txt"):
        self.names, self.exact, self.patterns = [], {}, []
        for line in path.read_text().splitlines():
            if line.startswith("["):
                self.names.append(line.strip("[]"))
            elif not line.startswith("#"):
                # the parentheses of (user space) keep it together
                words = [USER] if line == USER else line.split()
                for word in words:
                    if "*" in word or "?" in word:
                        self.patterns.append((word, self.names[-1]))
                    elif self.exact.setdefault(word, self.names[-1]) != self.names[-1]:
                        sys.exit(f"{path}: {word} is in two layers")
        self.names.append(OTHER)

    @functools.cache
    def of(self, function):
        name = function if function.startswith("(") else function.split(".")[0]
        if name in self.exact:
            return self.exact[name]
        for pattern, layer in self.patterns:
            if fnmatch.fnmatchcase(name, pattern):
                return layer
        return OTHER


class Window:
    """What was counted in one window, by function."""

    def __init__(self, line, directory, symbols, device):
        self.device = device
        fields = line.split()
        self.window, self.way = int(fields[0]), fields[1]
        self.members, self.bytes, self.sends = map(int, fields[2:5])
        self.clock, self.packets, self.due = map(int, fields[5:8])
        self.functions = read_counts(directory, self.window, symbols)
        if self.packets != self.due:
            sys.exit(f"{self}: the device transmitted {self.packets} packets of {self.due}")
        # The clock is read outside of the window, by a few instructions.
        self.off = self.clock / self.total("executed") - 1
        if not 0 <= self.off < 0.01:
            sys.exit(f"{self}: counted {self.total('executed')}, by the clock {self.clock}")
        if not self.total("locked") - self.functions.get(USER, {"locked": 0})["locked"]:
            sys.exit(f"{self}: the kernel locks nothing: was it booted without noreplace-smp?")

    def __str__(self):
        return f"{self.way}, {self.members} members, {self.bytes} bytes"

    def total(self, column):
        return sum(counts[column] for counts in self.functions.values())

    def per_member(self, count):
        return count / self.due

    def top(self, column, number):
        ranked = sorted(self.functions.items(), key=lambda f: (-f[1][column], f[0]))
        return [(name, self.per_member(counts[column]))
                for name, counts in ranked[:number] if counts[column]]

    def layers(self, layers, column):
        """The column's sum a layer."""
        sums = dict.fromkeys(layers.names, 0)
        for name, counts in self.functions.items():
            sums[layers.of(name)] += counts[column]
        if sum(sums.values()) != self.total(column):
            sys.exit(f"{self}: the layers do not add up to the whole")
        return sums

    def row(self, value, unit, kind, **more):
        row = {"way": self.way, "device": self.device, "members": self.members, "bytes": self.bytes,
               "sndbuf": SNDBUF, "value": round(value, 4), "unit": unit, "kind": kind,
               "sends": self.sends, "packets": self.packets, "due": self.due}
        return {**row, **more}


def read_counts(directory, window, symbols):
    functions = {}
    path = pathlib.Path(directory, f"window-{window}.tsv")
    with path.open() as file:
        if tuple(next(file).split()) != ("address",) + COLUMNS:
            sys.exit(f"{path}: not what the plugin writes")
        for row in file:
            address, *counts = row.split()
            total = functions.setdefault(symbols.name(int(address, 16)), dict.fromkeys(COLUMNS, 0))
            for column, count in zip(COLUMNS, counts):
                total[column] += int(count)
    return functions


def lines_of(run, name):
    return pathlib.Path(run, "results", name).read_text().splitlines()


def load(kernel, *runs):
    rounds = {}
    for run in runs:
        symbols = Symbols(kernel, run)
        for line in lines_of(run, "windows"):
            w = Window(line, pathlib.Path(run, "windows"), symbols, lines_of(run, "device")[0])
            rounds.setdefault(str(w), []).append(w)
    if not rounds:
        sys.exit("no windows")
    # The median: what the kernel does once in a while is in a few rounds.
    return [sorted(r, key=lambda w: w.total("executed"))[len(r) // 2] for r in rounds.values()]


def table(rows, columns, cells):
    """Prints a plain table: cells(row, column) is a string."""
    width = max(len(str(r)) for r in rows) + 2
    print(" " * width + "".join(f"{c:>{max(12, len(c) + 2)}}" for c in columns))
    for r in rows:
        print(f"{r!s:{width}}" + "".join(f"{cells(r, c):>{max(12, len(c) + 2)}}" for c in columns))
    print()


def save(out, experiment, command, run, rows, **more):
    result = {"experiment": experiment, "command": command,
              "kernel": "Linux " + lines_of(run, "kernel")[0], "rows": rows, **more}
    path = pathlib.Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written: {path}\n")


def functions(kernel, run, top):
    for w in load(kernel, run):
        print(f"\n{w}: instructions a member {w.per_member(w.total('executed')):.1f}, locked "
              f"{w.per_member(w.total('locked')):.2f}; the clock says {w.off:+.3%}\n")
        print(f"{'instructions':>12} {'locked':>7}  function")
        shown = w.top("executed", int(top))
        for name, value in shown:
            locked = w.per_member(w.functions[name]["locked"])
            print(f"{value:12.2f} {locked:7.2f}  {name}")
        rest = w.per_member(w.total("executed")) - sum(value for _, value in shown)
        print(f"{rest:12.2f} {'':7}  ({len(w.functions) - len(shown)} more)")


def known(kernel, run):
    symbols = Symbols(kernel, run)
    failed = 0
    for line in lines_of(run, "windows"):
        window, name, *expected = line.split()
        counts = read_counts(pathlib.Path(run, "windows"), window, symbols)
        user = counts.get(USER, dict.fromkeys(COLUMNS, 0))
        for want in expected:
            if ".." in want:
                column, bounds = want.split("=")
                low, high = map(int, bounds.split(".."))
            else:
                column, value = want.split("=")
                low = high = int(value)
            good = low <= user[column] <= high
            failed += not good
            print(f"{'passed' if good else 'FAILED'}  {name}: {want}, counted {user[column]}")
    cases = len(lines_of(run, "windows"))
    print(f"{cases} programs with known counts, {failed} counts wrong\n")
    if failed or not cases:
        sys.exit("the plugin does not count what it should")


def against_count(windows, run):
    """The clock of tests/bench/count.cpp, in the same guest, for the ways that it knows."""
    by_count = {}
    for line in lines_of(run, "count"):
        way, members, size, value = line.split()[:4]
        by_count[way, int(members), int(size)] = float(value)
    checks = []
    for w in windows:
        counted = w.per_member(w.total("executed"))
        clock = by_count.get((w.way, w.members, w.bytes))
        if clock is None:
            continue
        checks.append({"way": w.way, "members": w.members, "bytes": w.bytes,
                       "counted": round(counted, 2), "count.cpp": clock,
                       "difference": round(counted / clock - 1, 5),
                       "difference_to_clock_of_window": round(w.off, 6)})
        if abs(counted / clock - 1) >= 0.01:
            sys.exit(f"{w}: {counted:.1f} instructions a member, by count {clock:.0f}")
    if not checks:
        sys.exit("nothing to compare with count")
    return checks


def by_layer(windows, out, command, run, **more):
    """Prints and saves the instructions of each layer."""
    layers = Layers()
    rows, tops, others, too_much = [], [], [], []
    for w in windows:
        for layer, total in w.layers(layers, "executed").items():
            rows.append(w.row(w.per_member(total), "instructions a member", "instructions",
                              layer=layer))
            if layer == OTHER and total > 0.05 * w.total("executed"):
                too_much.append(str(w))
        rows.append(w.row(w.per_member(w.total("executed")), "instructions a member",
                          "instructions", layer="all"))
        same = {"way": w.way, "members": w.members, "bytes": w.bytes}
        tops += [{**same, "function": name, "layer": layers.of(name), "value": round(value, 2)}
                 for name, value in w.top("executed", 40)]
        others += [{**same, "function": name, "value": round(value, 4)}
                   for name, value in w.top("executed", None) if layers.of(name) == OTHER]
    value = {(r["way"], r["bytes"], r["layer"]): r["value"] for r in rows}
    for size in sorted({w.bytes for w in windows}):
        print(f"Instructions a member by layer, {size} bytes, {windows[0].members} members, "
              f"{windows[0].device}:\n")
        table(layers.names + ["all"], [w.way for w in windows if w.bytes == size],
              lambda layer, way, size=size: f"{value[way, size, layer]:.1f}")
    print("In no layer, so \"other\" (instructions a member, the most in any way of sending):")
    most = {}
    for o in others:
        most[o["function"]] = max(most.get(o["function"], 0), o["value"])
    small = [name for name, v in most.items() if v < 0.1]
    for name, v in sorted(most.items(), key=lambda f: -f[1]):
        if v >= 0.1:
            print(f"  {v:8.2f}  {name}")
    print(f"  and {len(small)} functions with less than 0.1, together "
          f"{sum(most[name] for name in small):.2f}\n")
    print(f"Each window against the clock around it: {max(w.off for w in windows):+.3%} at most.")
    save(out, pathlib.Path(out).stem, command, run, rows, functions=tops, other=others, **more)
    if too_much:
        sys.exit("more than 5 % in no layer: " + "; ".join(too_much))


def slices(kernel, out, command, run):
    windows = load(kernel, run)
    checks = against_count(windows, run)
    worst = max(checks, key=lambda c: abs(c["difference"]))
    print(f"Against tests/bench/count.cpp in the same guest, {len(checks)} of {len(windows)}: "
          f"{worst['difference']:+.2%} at most ({worst['way']}, {worst['bytes']} bytes).\n")
    by_layer(windows, out, command, run, checks=checks)


def card(kernel, out, command, run):
    by_layer(load(kernel, run), out, command, run)


def locked(kernel, out, command, *runs):
    windows, layers = load(kernel, *runs), Layers()
    rows, tops = [], []
    for w in windows:
        unit = "locked instructions a member"
        for layer, total in w.layers(layers, "locked").items():
            if total:
                rows.append(w.row(w.per_member(total), unit, "instructions", layer=layer))
        rows.append(w.row(w.per_member(w.total("locked")), unit, "instructions", layer="all"))
        tops += [{"way": w.way, "members": w.members, "bytes": w.bytes, "function": name,
                  "layer": layers.of(name), "value": round(value, 4)}
                 for name, value in w.top("locked", 20)]
    print("Instructions that lock the bus (LOCK, XCHG with memory), a member:\n")
    table(windows, ["locked"], lambda w, _: f"{w.per_member(w.total('locked')):.2f}")
    save(out, "locked", command, runs[0], rows, functions=tops)


def model(run):
    """The caches, as the plugin says: BYTES:WAYS."""
    sizes = {}
    for line in pathlib.Path(run, "windows", "model").read_text().splitlines():
        level, size = line.split()
        bytes_, ways = map(int, size.split(":"))
        sizes[level] = f"{bytes_ // 1024} KiB, {ways} ways"
    return sizes


def cache(kernel, out, command, run):
    windows, layers = load(kernel, run), Layers()
    levels = {"L1d": "l1d_misses", "L1i": "l1i_misses", "L2": "l2_misses"}
    rows, tops = [], []
    for w in windows:
        if not w.total("accesses") or not w.total("fetches"):
            sys.exit(f"{w}: no caches were modelled")
        more = {"gateway": True}
        if w.way == "connected" and w.members == 65535:
            more["note"] = ("65,535 members and not 65,536: each connected socket has a port of "
                            "its own, and there are no more")
        for level, column in levels.items():
            rows.append(w.row(w.per_member(w.total(column)), "misses a member", "model",
                              level=level, **more))
            tops += [{"way": w.way, "members": w.members, "bytes": w.bytes, "level": level,
                      "function": name, "layer": layers.of(name), "value": round(value, 4)}
                     for name, value in w.top(column, 15)]
        for column in ("accesses", "fetches"):
            rows.append(w.row(w.per_member(w.total(column)), column + " a member", "model",
                              level="asked of L1", **more))
    windows.sort(key=lambda w: w.members > 100)
    print("Misses of the modelled caches, a member (members behind one gateway; "
          + "; ".join(f"{level} {size}" for level, size in model(run).items()) + "):\n")
    columns = {"L1d misses": "l1d_misses", "L1i misses": "l1i_misses", "L2 misses": "l2_misses",
               "accesses": "accesses", "fetches": "fetches"}
    table(windows, list(columns), lambda w, c: f"{w.per_member(w.total(columns[c])):.2f}")
    save(out, "cache", command, run, rows, functions=tops,
         model={**model(run), "line": "64 bytes", "replacement": "least recently used",
                "addresses": "physical", "prefetching": "none"})


if __name__ == "__main__":
    COMMANDS = {f.__name__: f for f in (functions, known, slices, card, locked, cache)}
    if len(sys.argv) < 4 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]](*sys.argv[2:])
