#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Adds up what the torture printed: figures.py LOG...

Operations tried by kind and outcome, faults survived, minutes of torture.
"""

import collections
import pathlib
import re
import sys


def main():
    operations = collections.defaultdict(collections.Counter)
    faults, minutes, snapshots = 0, 0.0, 0
    for name in sys.argv[1:]:
        for line in pathlib.Path(name).read_text(errors="replace").splitlines():
            if match := re.match(r"faults survived: (\d+)", line):
                faults += int(match[1])
            elif match := re.match(r"minutes of torture: ([\d.]+)", line):
                minutes += float(match[1])
            elif match := re.match(r"(\d+) sends saw", line):
                snapshots += int(match[1])
            elif match := re.match(r"(\S.{0,22}\S?) +((?:ok|E[A-Z0-9]+) \d+.*)", line):
                words = match[2].split()
                for outcome, n in zip(words[::2], words[1::2]):
                    operations[match[1].strip()][outcome] += int(n)
    for operation, outcomes in sorted(operations.items()):
        print(f"{operation:24}", *(f"{o} {n}" for o, n in sorted(outcomes.items())))
    tried = sum(sum(outcomes.values()) for outcomes in operations.values())
    print(f"operations tried: {tried}; faults survived: {faults}; "
          f"sends that saw one version: {snapshots}; minutes of torture: {minutes:.1f}")


if __name__ == "__main__":
    main()
