#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The table of aims, and what the results say of each: aims.py [--only NAME,...]

Reads build/bench/results/*.json. Prints for each aim whether it is met, with the
figure. An aim whose figure is not there, or is void, is not met. Ends with 1 if
any is not. --only looks at aims whose results are of these names.
"""

import argparse
import json
import pathlib
import statistics
import sys

RESULTS = pathlib.Path(__file__).parents[2] / "build/bench/results"


class Missing(Exception):
    """There is no such figure, or it does not count."""


class Results:
    """What the measurements left."""

    def __init__(self, directory=RESULTS):
        self.files = {path.stem: json.loads(path.read_text(encoding="utf-8"))
                      for path in sorted(directory.glob("*.json"))}

    def rows(self, name, **wanted):
        if name not in self.files:
            raise Missing(f"{name}.json is not there")
        return [row for row in self.files[name]["rows"]
                if all(row.get(key) == value for key, value in wanted.items())]

    def row(self, name, **wanted):
        found = self.rows(name, **wanted)
        what = ", ".join(str(value) for value in wanted.values())
        if not found:
            raise Missing(f"{name}.json has no row of {what}")
        if len(found) > 1:
            raise Missing(f"{name}.json has {len(found)} rows of {what}")
        row = found[0]
        for reason in ("void", "not_possible"):
            if reason in row:
                raise Missing(f"{what}: {reason.replace('_', ' ')}: {row[reason]}")
        # What did not come through whole is no figure, whoever measured it.
        if "due" in row and row.get("packets") != row["due"]:
            raise Missing(f"{what}: {row.get('packets')} of {row['due']} datagrams")
        return row

    def value(self, name, **wanted):
        return self.row(name, **wanted)["value"]


class Aim:
    """One line of the table: a figure, and the limit that it is held to."""

    def __init__(self, result, text, limit, figure, least=False, unit=""):
        self.result, self.text, self.limit, self.figure = result, text, limit, figure
        self.least, self.unit = least, unit

    def judge(self, results):
        """Returns (met, figure or None, what there is to say)."""
        sign = "at least" if self.least else "at most"
        try:
            figure = self.figure(results)
        except Missing as reason:
            return False, None, f"no figure: {reason}"
        met = figure >= self.limit if self.least else figure <= self.limit
        return met, figure, f"{figure:,.3g} {sign} {self.limit:,g} {self.unit}".rstrip() \
            if abs(figure) < 100 else f"{figure:,.0f} {sign} {self.limit:,g} {self.unit}".rstrip()


def quick(way, size):
    return lambda results: results.value("quick", way=way, bytes=size, variant="plain")


def quick_ratio(other, size):
    return lambda results: quick(other, size)(results) / quick("group", size)(results)


def free(way):
    """How far the kernel with groups that nobody uses is from one without."""
    return lambda results: abs(
        results.value("quick", way=way, bytes=100, variant="with, no group") -
        results.value("quick", way=way, bytes=100, variant="without"))


def spread(variant, most):
    """By how much the dearest size of group is above the cheapest, per cent."""
    def figure(results):
        sizes = sorted({row["members"] for row in results.rows(
            "scale", way="group", variant=variant)})
        if not sizes or sizes[-1] != most:
            raise Missing(f"scale.json does not go to {most:,} members")
        values = [results.value("scale", way="group", variant=variant, members=n) for n in sizes]
        return 100 * (max(values) / min(values) - 1)
    return figure


def single(results):
    return results.value("scale", way="group", members=1, variant="plain") - \
        results.value("scale", way="sendto", members=1, variant="plain")


def doorbells(device):
    return lambda results: results.value("doorbells", way="group", device=device, members=100,
                                         sndbuf="large", unit="doorbells/datagram")


def times(row, base):
    """How many times as long base took, round by round, the median.

    In a round the ways take turns, so what slows the machine for a second slows
    both. Their own medians can be of rounds that met different machines.
    """
    return statistics.median(theirs / mine for mine, theirs in zip(row["rounds"], base["rounds"],
                                                                   strict=True))


def void_rows(name):
    """Rows that do not count, where there is nobody to lose a datagram."""
    def figure(results):
        rows = results.rows(name)
        if not rows:
            raise Missing(f"{name}.json has no rows")
        return sum("void" in row for row in rows)
    return figure


def card_ratio(device, other):
    def figure(results):
        mine, theirs = (results.row("cards", way=way, device=device, variant="interleaved")
                        for way in ("group", other))
        return times(mine, theirs)
    return figure


def native(other):
    return lambda results: results.value("um", way=other) / results.value("um", way="group")


def families(size, other="ip6"):
    """How much dearer a member is by IPv6 than by IPv4, per cent."""
    def figure(results):
        value = {family: results.value("interface", variant=family, members=100, bytes=size)
                 for family in ("ip4", other)}
        return 100 * (value[other] / value["ip4"] - 1)
    return figure


def churn(results):
    value = {n: results.value("interface", variant="leave and join", members=n)
             for n in (100, 65536)}
    return value[65536] / value[100]


def skipped(results):
    value = {n: results.value("interface", variant="skip", members=n, skipped=64)
             for n in (100, 65536)}
    return value[65536] / value[100]


def incomplete_transfers(results):
    """UDP has to come through whole; of TCP's bytes the last are still on their
    way when iperf3 stops to count."""
    rows = [row for row in results.rows("iperf") if row["way"].startswith("iperf3")]
    there = {(row["way"], row["kernel"]) for row in rows}
    wanted = {(way, kernel) for way in ("iperf3 tcp", "iperf3 udp")
              for kernel in ("plain", "patched")}
    if wanted - there:
        raise Missing(f"iperf.json lacks {sorted(wanted - there)}")
    return sum(row["packets"] != row["due"] if "due" in row else
               row["bytes arrived"] < 0.99 * row["bytes sent"] for row in rows)


def worst_error(results):
    errors = [abs(row["error"]) for row in results.rows("capacity", role="prediction")
              if row.get("error") is not None]
    if not errors:
        raise Missing("capacity.json has no prediction that was checked")
    return 100 * max(errors)


AIMS = [
    *(Aim("quick", f"instructions a member, dummy, N = 100, {size} B", 1250, quick("group", size))
      for size in (100, 1000)),
    *(Aim("quick", f"instructions under connected sockets, {size} B", 2.8,
          quick_ratio("connected", size), least=True, unit="times") for size in (100, 1000)),
    *(Aim("quick", f"instructions under sendmmsg, {size} B", 3.6,
          quick_ratio("sendmmsg", size), least=True, unit="times") for size in (100, 1000)),
    *(Aim("quick", f"{way} with the hooks and no group, instructions off", 4, free(way))
      for way in ("connected", "sendto", "sendmmsg")),
    Aim("scale", "group from 16 to 65,536 members behind a gateway, spread", 10,
        spread("gateway", 65536), unit="%"),
    Aim("scale", "group from 16 to 512 members on the link, spread", 10,
        spread("on-link", 512), unit="%"),
    Aim("scale", "a group of one, instructions above sendto", 0, single),
    *(Aim(name, f"{what}: rows that do not count", 0, void_rows(name))
      for name, what in (("micro", "dummy and veth"), ("variants", "with policies"),
                         ("table", "the paper's table"))),
    Aim("doorbells", "e1000: doorbells a datagram, group of 100", 1 / 16, doorbells("e1000")),
    Aim("doorbells", "virtio-net: doorbells a datagram, group of 100", 1 / 16,
        doorbells("virtio-net")),
    # By the clock: on a machine that does something else it can be missed.
    # Four times was aimed for, and is missed: ARCHITECTURE.md says by what.
    Aim("cards", "e1000: wall clock under connected sockets, N = 100, 100 B", 2.5,
        card_ratio("e1000", "connected"), least=True, unit="times"),
    Aim("cards", "e1000: wall clock above pktgen with burst 64, one sk_buff", 3,
        lambda results: 1 / card_ratio("e1000", "pktgen-64")(results), unit="times"),
    Aim("um", "native speed: 65,536 members, under sendmmsg", 3, native("sendmmsg"), least=True,
        unit="times"),
    Aim("um", "native speed: 65,536 members, times pktgen with burst 1", 1.8,
        lambda results: 1 / native("pktgen")(results), unit="times"),
    *(Aim("interface", f"IPv6, N = 100, {size} B: above IPv4", 15, families(size), unit="%")
      for size in (100, 1000)),
    Aim("interface", "one that leaves and joins, of 65,536, against 100", 1.5, churn,
        unit="times"),
    Aim("interface", "one of 64 that a send leaves out, of 65,536, against 100", 1.5, skipped,
        unit="times"),
    *(Aim("interface", f"IPv4 and IPv6 in turns, N = 100, {size} B: above IPv4", 15,
          families(size, "mixed"), unit="%") for size in (100, 1000)),
    Aim("interface", "kernel memory of a member", 128,
        lambda results: results.value("interface", way="group", variant="memory"),
        unit="bytes"),
    Aim("iperf", "iperf3, UDP and TCP, plain and patched kernel: incomplete transfers", 0,
        incomplete_transfers),
    Aim("capacity", "the capacity model: largest error", 10, worst_error, unit="%"),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", help="results, separated by commas")
    only = parser.parse_args().only
    results = Results()
    missed = 0
    for aim in AIMS:
        if only and aim.result not in only.split(","):
            continue
        met, _, text = aim.judge(results)
        missed += not met
        print(f"  {'met   ' if met else 'MISSED'}  {aim.text}: {text}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
