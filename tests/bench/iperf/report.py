#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes iperf.json and a table of both kernels' exchanges: report.py PLAIN PATCHED JSON

Fails if one is missing or did not transfer what it should."""

import json
import statistics
import sys

plain, patched, path = sys.argv[1:]
failures = []


def transferred(report, protocol):
    """What arrived and what should have: datagrams, or bytes."""
    end, test = report["end"], report["start"]["test_start"]
    if protocol == "udp":
        # the server's count, which the client's report repeats
        return end["sum"]["packets"] - end["sum"]["lost_packets"], test["blocks"]
    # iperf3 ends a test when all is sent: what is then on its way arrives
    # uncounted, and is at most what fits into the socket buffers
    arrived, sent = end["sum_received"]["bytes"], end["sum_sent"]["bytes"]
    if sent < test["bytes"] or sent - arrived > 4 << 20:
        failures.append(f"{protocol}: {arrived} of {sent} bytes, asked for {test['bytes']}")
    return arrived, sent


def row(results, kernel, protocol, device):
    """The median exchange: iperf3's own instructions and the kernel's, both ends."""
    exchanges = [json.loads(line) for line in open(f"{results}/{protocol}-{device}")]
    arrived = due = 0
    for exchange in exchanges:
        a, d = transferred(exchange["report"], protocol)
        arrived, due = arrived + a, due + d
    if protocol == "udp" and arrived != due or not due:
        failures.append(f"{kernel}, {protocol} over {device}: {arrived} of {due} arrived")
    test = exchanges[0]["report"]["start"]["test_start"]
    blocks = test["blocks"] or test["bytes"] // 1000
    each = [(e["client_us"] + e["server_us"]) * 1000 / blocks for e in exchanges]
    return {"way": f"iperf3 {protocol}", "kernel": kernel, "device": device, "members": 1,
            "bytes": 1000, "sndbuf": 8 << 20 if protocol == "udp" else 256 << 10,
            "value": round(statistics.median(each), 1),
            "unit": "instructions a datagram" if protocol == "udp" else "instructions a kilobyte",
            "kind": "instructions",
            # TCP's are bytes, of which the last are on their way: see above
            **({"packets": arrived, "due": due} if protocol == "udp"
               else {"bytes arrived": arrived, "bytes sent": due}),
            "rounds": [round(e, 1) for e in each]}


pairs = [(row(plain, "plain", protocol, device), row(patched, "patched", protocol, device))
         for protocol in ("tcp", "udp") for device in ("lo", "veth")]
kernels = {name: open(f"{results}/kernel").read().strip()
           for name, results in (("plain", plain), ("patched", patched))}
with open(path, "w") as out:
    json.dump({"experiment": "ordinary path", "command": "tests/bench/iperf/run.sh",
               "kernel": kernels, "rows": [r for pair in pairs for r in pair]}, out, indent=1)
    out.write("\n")

print(f"""
iperf3 on the kernel without the patches and with them (no group on it): the
instructions of both ends, iperf3's own included (QEMU -icount; processor time,
so that waiting does not count). Median of {len(pairs[0][0]['rounds'])} exchanges; in brackets, how far
apart they are.

  {'':10} {'over':6} {'per':>9} {'without':>18} {'with':>18} {'difference':>11}""")


def shown(r):
    spread = max(r["rounds"]) / min(r["rounds"]) - 1
    return f"{r['value']:.0f} ({spread:.2%})"


for a, b in pairs:
    print(f"  {a['way']:10} {a['device']:6} {a['unit'].split()[-1]:>9} {shown(a):>18} "
          f"{shown(b):>18} {b['value'] / a['value'] - 1:>+10.2%}")
for failure in failures:
    print(f"  FAILED  {failure}")
if not failures:
    print("\nEvery exchange ended well, and every datagram arrived.")
sys.exit(bool(failures))
