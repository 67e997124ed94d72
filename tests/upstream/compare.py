#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compares selftests' results with and without the patches.

compare.py OUT ROUND...

OUT/upstream.ROUND and OUT/upstream+plain.ROUND are what guests left in each
round; a later round has only the tests that differed in those before. A test's
result is its exit status and every line in which it says how a part of it went.
Numbers are left out, which are times, ports and rates, but for those of a summary
("PASS=3 FAIL=0"), and so is the order: parts that run side by side end in any.

Some tests fail now and then, on an emulated processor at least: their programs do not
wait for all that they need. So one differs if none of its results with the patches
is one that it has had without.

Writes OUT/again, the tests that differ. Prints a report; its last line is "N the
same, N differ". Ends with 1 if any differ.
"""

import collections
import pathlib
import re
import sys

KERNELS = "upstream", "upstream+plain"
STATUS = collections.defaultdict(lambda: "failed", {0: "passed", 4: "skipped", 124: "hung"})
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
# "ok 1 name", "[ OK ]", "PASS=3 SKIP=0 FAIL=0", "name: FAIL"
PART = re.compile(r"\b(ok|pass(ed)?|fail(ed)?|skip|xfail)\b", re.I)
NUMBER = re.compile(r"(\b(?:x?pass|x?fail|skip)(?:ed)?[=:] *\d+)|\d+(?:\.\d+)?", re.I)
NAMES = re.compile(r"(-|ns|tmp\.)[A-Za-z0-9]{6,8}\b")

Result = collections.namedtuple("Result", "status parts")


def results(directory):
    """{test: Result} of one guest."""
    found = {}
    for line in (directory / "results/codes").read_text().splitlines():
        code, number, test = line.split(" ", 2)
        text = (directory / f"results/{number}.out").read_text(errors="replace")
        parts = collections.Counter()
        for row in ESCAPES.sub("", text).splitlines():
            if PART.search(row):
                row = NUMBER.sub(lambda n: n[1] or "#", NAMES.sub("-", row))
                parts[row.strip()] += 1
        found[test] = Result(STATUS[int(code)], parts)
    return found


def difference(patched, plain):
    """What one has and the other has not, or nothing."""
    lines = [f"{kind}: {result.status}" for kind, result in
             (("patched", patched), ("without", plain)) if patched.status != plain.status]
    for kind, a, b in (("patched", patched, plain), ("without", plain, patched)):
        lines += [f"{kind}: {part}" for part in (a.parts - b.parts).elements()]
    return lines


def compare(with_them, without):
    """The two results to show, of those of each round, and whether any are the same."""
    for patched in with_them:
        if patched in without:
            return patched, patched, True
    return with_them[-1], without[-1], False


def main():
    out = pathlib.Path(sys.argv[1])
    seen = collections.defaultdict(lambda: ([], []))
    for turn in sys.argv[2:]:
        patched, plain = (results(out / f"{kernel}.{turn}") for kernel in KERNELS)
        if patched.keys() != plain.keys():
            sys.exit(f"round {turn}: not the same tests: {patched.keys() ^ plain.keys()}")
        for test, result in patched.items():
            seen[test][0].append(result)
            seen[test][1].append(plain[test])

    again, counts = [], collections.Counter()
    for test, (with_them, without) in seen.items():
        patched, plain, same = compare(with_them, without)
        if not same:
            again.append(test)
        counts[patched.status] += 1
        times = f", in {len(with_them)} rounds" if len(with_them) > 1 else ""
        print(f"{patched.status if same else 'DIFFERS':8} {test} ({patched.parts.total()} parts{times})")
        for line in difference(patched, plain):
            print(f"           {line}")
    (out / "again").write_text("".join(test + "\n" for test in again))
    print("on the patched kernel:", ", ".join(f"{n} {what}" for what, n in counts.items()))
    print(f"{len(seen) - len(again)} the same, {len(again)} differ")
    return 1 if again else 0


sys.exit(main())
