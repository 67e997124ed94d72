#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes um.json and the table of what the guest left: report.py RESULTS JSON

Fails with 1 if the device missed datagrams or an aim is missed, and with 3 if
what else ran leaves it open."""

import json
import statistics
import sys

results, path = sys.argv[1:]
rows = json.loads("[" + open(f"{results}/rows").read() + "]")
by_way = {row["way"]: row["rounds"] for row in rows}


def ratios(way, other):
    """Of each round, so that what the machine did meanwhile is in both."""
    each = [a / b for a, b in zip(by_way[way], by_way[other], strict=True)]
    low, middle, high = statistics.quantiles(each, n=4)
    return {"value": round(middle, 3), "quartiles": [round(low, 3), round(high, 3)],
            # where the middle half of the rounds differs as much, something
            # else was measured
            "void": (high - low) / middle > 0.1}


aims = []
for text, over, under, holds in (
        ("sendmmsg / group, at least 3", "sendmmsg", "group", lambda r: r >= 3),
        ("group / pktgen burst 1, at most 1.8", "group", "pktgen", lambda r: r <= 1.8)):
    found = ratios(over, under)
    aims.append({"aim": text, **found, "met": not found["void"] and holds(found["value"])})

with open(path, "w") as out:
    json.dump({"experiment": "native speed", "command": "tests/bench/um/run.sh",
               "kernel": open(f"{results}/kernel").read().strip(),
               "empty system call, ns": round(float(open(f"{results}/empty_call").read())),
               "rows": rows, "aims": aims}, out, indent=1)
    out.write("\n")

print(f"""
Wall clock for one datagram to one member, inside the kernel. User-Mode Linux,
dummy device, {rows[0]["members"]:,} members behind one gateway, {rows[0]["bytes"]} bytes, median of
{len(rows[0]["rounds"])} interleaved rounds. Only the ratios say anything about another machine.

  {"way":20} {"ns a member":>12} {"lowest":>8} {"highest":>8}  how""")
for row in rows:
    print(f"  {row['way']:20} {row['value']:12.0f} {min(row['rounds']):8.0f} "
          f"{max(row['rounds']):8.0f}  {row['method']}")
print()
for aim in aims:
    verdict = "VOID" if aim["void"] else "met" if aim["met"] else "MISSED"
    low, high = aim["quartiles"]
    print(f"  {verdict:6}  {aim['aim']}: {aim['value']:.2f} (quartiles {low:.2f} and {high:.2f})")

missed = [row["way"] for row in rows if row["packets"] != row["due"]]
for way in missed:
    print(f"  the device missed datagrams: {way}")
if missed:
    sys.exit(1)
if any(aim["void"] for aim in aims):
    print("  VOID: the rounds differ by too much; was something else running?")
    sys.exit(3)
sys.exit(not all(aim["met"] for aim in aims))
