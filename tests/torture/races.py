#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Finds this project's data races in a kernel's log: races.py LOG...

KCSAN's report has the stacks of two accesses. It is ours if a function of ours
made one of these: udp_group_*, xmit_batch_*, or anything in the module. What the
rest of the kernel races for is no fault of ours; where it was called by one of
our functions it is printed all the same, for somebody to look at.
The last line has the numbers; ends with 1 if there are any of ours.
"""

import pathlib
import re
import sys

OURS = re.compile(r"\b(__)?(udp_group|xmit_batch)_\w+\+0x|\[udp_group\]")
ACCESS = re.compile(r"^(read|write|assert)\b.* by |^race at unknown origin")


def reports(text):
    """Yields each report of a log, as its lines."""
    lines = None
    for line in text.splitlines():
        line = re.sub(r"^\[ *[\d.]+\](\[[^]]*\])? ?", "", line)
        if "BUG: KCSAN:" in line:
            lines = [line]
        elif lines is not None and line.startswith("====="):
            yield lines
            lines = None
        elif lines is not None:
            lines.append(line)


def is_ours(report):
    """Was one of the accesses made by a function of ours?"""
    return any(ACCESS.match(before) and OURS.search(line)
               for before, line in zip(report, report[1:]))


def main():
    ours, called, others = [], [], 0
    for name in sys.argv[1:]:
        for report in reports(pathlib.Path(name).read_text(errors="replace")):
            if is_ours(report):
                ours.append(report)
            elif any(OURS.search(line) for line in report):
                called.append(report)
            else:
                others += 1
    for kind, some in ("called by ours", called), ("ours", ours):
        for report in some:
            print(f"{kind}:", *report, "", sep="\n")
    print(f"data races: {len(ours)} ours, {len(called)} called by ours, {others} elsewhere")
    return 1 if ours else 0


if __name__ == "__main__":
    sys.exit(main())
