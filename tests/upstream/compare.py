#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Holds the results of two runs against each other: compare.py TESTS PLAIN PATCHED

A test is a program and what it ended with, and every "ok" or "not ok" that it
has written. The same is required of both kernels. What passed on both has
passed; what failed on both, or was not run on either, is said aloud and counted
by itself.
"""

import pathlib
import re
import sys

SKIPPED = 4  # what the kernel's selftests end with then
RESULT = re.compile(r"^[\s#]*(not )?ok \d+ (?:- )?(.*?)(?:\s*#\s*(SKIP|XFAIL).*)?$")


def outcome(directory, name):
    """The results of a program: a name and passed, failed or not run."""
    rc, log = directory / f"{name}.rc", directory / f"{name}.log"
    if not rc.exists():
        return {name: "no result"}
    code = int(rc.read_text())
    results = {name: {0: "passed", SKIPPED: "not run"}.get(code, f"failed ({code})")}
    for line in log.read_text(errors="replace").splitlines():
        match = RESULT.match(line)
        if match:
            failed, test, instead = match.groups()
            results[f"{name}: {test}"] = ("not run" if instead == "SKIP" else
                                          "failed" if failed else "passed")
    return results


def tail(directory, name):
    log = directory / f"{name}.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join("    | " + line for line in lines[-15:])


def main():
    plain, patched = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    names = [line.split()[0] for line in open(sys.argv[1], encoding="utf-8")]
    count = {"passed": 0, "failed": 0, "not run": 0, "different": 0}
    # without this, the one would be compared with itself
    groups = [int((d / "groups").read_text()) for d in (plain, patched)]
    if groups[0] or not groups[1]:
        print("DIFFERENT: the kernels are not one without groups and one with them")
        count["different"] += 1

    for name in names:
        one, other = outcome(plain, name), outcome(patched, name)
        for test in {**one, **other}:
            a, b = one.get(test, "no result"), other.get(test, "no result")
            if a != b or a == "no result":
                count["different"] += 1
                print(f"DIFFERENT {test}: without the series {a}, with it {b}")
            elif a == "passed":
                count["passed"] += 1
            elif a == "not run":
                count["not run"] += 1
                print(f"NOT RUN, on neither kernel: {test}")
            else:
                count["failed"] += 1
                print(f"FAILS ON BOTH KERNELS: {test}: {a}")
        if one != other:
            print(tail(plain, name), "    | and with the series:", tail(patched, name), sep="\n")
        elif one[name] != "passed":
            print(tail(plain, name))
    print("{passed} passed on both kernels, {different} different, {failed} failed on both, "
          "{not run} not run".format(**count))
    return 1 if count["different"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
