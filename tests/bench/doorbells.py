#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Counts what the guest told its cards: doorbells.py TRACE ROWS >ROWS

TRACE is what QEMU wrote of its events memory_region_ops_write and
virtio_queue_notify. A doorbell is a write to e1000's transmit descriptor tail
(TDT, 0x3818), or a notification of virtio-net's transmit queue. The guest marks
its rounds by text that it writes to a debug console, which is in the trace,
too. ROWS are those rounds as the guest saw them; they go out as rows of
doorbells and of interrupts for one datagram.
"""

import json
import re
import sys

E1000_TDT = 0x3818
VIRTIO_NET_TX = 1

WRITE = re.compile(r"memory_region_ops_write .*addr (0x[0-9a-f]+) value (0x[0-9a-f]+) "
                   r"size \d+ name '([^']*)'")
NOTIFY = re.compile(r"virtio_queue_notify .*\bn (\d+) ")


def rounds(trace):
    """Yields (key, datagrams due, doorbells) for each marked round."""
    text, doorbells = "", 0
    for line in trace:
        if write := WRITE.search(line):
            address, value, name = int(write[1], 16), int(write[2], 16), write[3]
            if name == "isa-debugcon":
                text += chr(value)
                if not text.endswith("\n"):
                    continue
                word, *fields = text.split()
                text = ""
                if word == "begin":
                    doorbells = 0
                else:
                    yield tuple(fields[:-1]), int(fields[-1]), doorbells
            elif name == "e1000-mmio" and address & 0x1ffff == E1000_TDT:
                doorbells += 1
        elif (notify := NOTIFY.search(line)) and int(notify[1]) == VIRTIO_NET_TX:
            doorbells += 1


def main():
    counted = {}
    with open(sys.argv[1], encoding="ascii", errors="replace") as trace:
        for key, due, doorbells in rounds(trace):
            sums = counted.setdefault(key, [0, 0])
            sums[0] += due
            sums[1] += doorbells
    with open(sys.argv[2], encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for row in rows:
        print(json.dumps(row))
        if "not_possible" in row:
            continue
        key = (row["way"], row["device"], str(row["members"]), str(row["bytes"]), row["sndbuf"])
        due, doorbells = counted[key]
        if due != row["due"]:
            sys.exit(f"{key}: {due} datagrams marked, {row['due']} reported")
        common = {k: v for k, v in row.items()
                  if k not in ("rounds", "interrupts", "value", "unit", "kind")}
        print(json.dumps({**common, "value": round(doorbells / due, 5), "unit": "doorbells/datagram",
                          "kind": "device count", "doorbells": doorbells}))
        print(json.dumps({**common, "value": round(row["interrupts"] / due, 5),
                          "unit": "interrupts/datagram", "kind": "device count",
                          "interrupts": row["interrupts"]}))


if __name__ == "__main__":
    main()
