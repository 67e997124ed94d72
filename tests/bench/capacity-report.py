#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes capacity.json and a table of what the tool said: capacity-report.py RESULTS JSON

Fails if a prediction is more than 10 % off, or a way is missing."""

import json
import sys

WAYS = ("connected", "sendmmsg", "group")
results, path = sys.argv[1:]
found = json.load(open(f"{results}/capacity"))
failures = []
rows = []


def row(way, size, members, value, kind, packets=None, due=None, **more):
    rows.append({"way": way, "device": "dummy", "members": members, "bytes": size, "sndbuf": 0,
                 "value": value, "unit": "instructions", "kind": kind, "packets": packets,
                 "due": due, **more})


for way, why in ((u["way"], u["why"]) for u in found["unavailable"]):
    failures.append(f"{way}: {why}")

print("""
Instructions of one send to N members, fitted by fixed + per member * N (QEMU
-icount, bench kernel, dummy device, default send buffer):

  way         bytes     fixed  per member  worst error, at its own points""")
for c in found["calibrations"]:
    for point in c["points"]:
        row(c["way"], c["bytes"], point["members"], point["measured_ns"], "instructions",
            point["packets"], point["due"], role="calibration")
    row(c["way"], c["bytes"], None, c["per_member_ns"], "model", role="parameters",
        fixed=c["fixed_ns"], worst_error=c["worst_error"])
    print(f"  {c['way']:10} {c['bytes']:6} {c['fixed_ns']:9.0f} {c['per_member_ns']:11.1f} "
          f"{c['worst_error']:9.2%} up to {c['points'][-1]['members']} members")

print("""
What was predicted from that, and measured afterwards:

  way         bytes  interval  budget  members     predicted      measured    error  factor""")
for a in found["answers"]:
    name = f"{a['way']}, {a['bytes']} bytes, {a['interval_ns'] / 1e6} ms, {a['budget']}"
    if "measured" not in a:
        failures.append(f"{name}: nothing fits, so nothing was measured")
        continue
    m = a["measured"]
    about = {"interval": a["interval_ns"], "budget": a["budget"], "fit": a["fit"]}
    row(a["way"], a["bytes"], a["members"], a["predicted_ns"], "model", role="prediction",
        error=a["error"], factor=a.get("factor"), instead=a.get("instead"), **about)
    row(a["way"], a["bytes"], a["members"], m["measured_ns"], "instructions", m["packets"],
        m["due"], role="check", **about)
    if m["packets"] != m["due"]:
        failures.append(f"{name}: the device sent {m['packets']} of {m['due']}")
    if abs(a["error"]) > 0.1:
        failures.append(f"{name}: {a['error']:.1%} off")
    factor = f"{a['factor']:7.2f}" if "factor" in a else ""
    print(f"  {a['way']:10} {a['bytes']:6} {a['interval_ns'] / 1e6:6.1f} ms {a['budget']:7} "
          f"{a['members']:8} {a['predicted_ns']:13.0f} {m['measured_ns']:13.0f} "
          f"{a['error']:8.2%} {factor}")

checked = {a["way"] for a in found["answers"] if "measured" in a}
failures += [f"{way}: no prediction was checked" for way in WAYS if way not in checked]
worst = max((abs(a["error"]) for a in found["answers"] if "measured" in a), default=None)

with open(path, "w") as out:
    json.dump({"experiment": "capacity", "command": "tests/bench/capacity-check.sh",
               "kernel": open(f"{results}/kernel").read().strip(), "worst error": worst,
               "rows": rows}, out, indent=1)
    out.write("\n")

print(f"""
members: reached within the budget. factor: the paper's N'/N, how many more
members a server has room for that has as many as connected sockets reach
within the budget, and other work for them in the rest of the interval.
The worst error is {worst:.2%}; at most 10 % is allowed.""" if worst is not None else "")
for failure in failures:
    print(f"  FAILED  {failure}")
sys.exit(bool(failures))
