#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Draws the report of what the benchmarks left: report.py [--figures]

Reads build/bench/results/*.json, writes build/bench/report.html; with --figures
also the essential plot, tests/bench/figures/instructions.svg. What is missing
is said in the page, and makes the command fail.

It runs under the system's Python, for which Debian has matplotlib.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import page  # noqa: E402
import plots  # noqa: E402
from aims import AIMS, Missing, Results  # noqa: E402
from measured import cards, curves, policies, scale, table, void_rows  # noqa: E402
from others import capacity, locked_and_misses, native, ordinary, slices, sources  # noqa: E402

OUT = HERE.parents[2] / "build/bench/report.html"
FIGURE = HERE.parent / "figures/instructions.svg"
COMMANDS = {
    "quick": "make bench-quick", "micro": "tests/bench/micro.sh", "scale": "tests/bench/micro.sh",
    "variants": "tests/bench/micro.sh", "cards": "tests/bench/micro.sh",
    "doorbells": "tests/bench/micro.sh", "table": "tests/bench/table.sh",
    "slices": "tests/bench/profile/run.sh", "card": "tests/bench/profile/run.sh",
    "locked": "tests/bench/profile/run.sh",
    "cache": "tests/bench/profile/run.sh", "um": "tests/bench/um/run.sh",
    "iperf": "tests/bench/iperf/run.sh", "capacity": "tests/bench/capacity-check.sh",
}


def aims(results):
    rows = []
    for aim in AIMS:
        met, _, figure = aim.judge(results)
        word = '<span class="met">met</span>' if met else '<span class="missed">MISSED</span>'
        rows.append([page.text(aim.text), word, page.text(figure)])
    met = sum("met</span>" in row[1] and "MISSED" not in row[1] for row in rows)
    return (f"<h2>Aims: {met} of {len(rows)} met</h2>" +
            page.table(["aim", "", "figure"], rows))


def where_from(results):
    def kernel(name):
        if name not in results.files:
            return '<span class="missed">MISSING</span>'
        said = results.files[name].get("kernel", "not said")
        return page.text(", ".join(said.values()) if isinstance(said, dict) else said)

    rows = [[page.text(name), kernel(name), f"<code>{page.text(command)}</code>"]
            for name, command in COMMANDS.items()]
    return "<h2>Where the figures come from</h2>" + page.table(
        ["result", "kernel", "command"], rows)


INTRO = """
<p>What it costs to send one datagram to one member of a group of receivers, for each way of
doing that which Linux has: an array of connected sockets, as in the paper; one socket with
<code>sendto()</code>, <code>sendmmsg()</code> or io_uring; AF_XDP in copy mode, which leaves out
routing and netfilter; and a group, which is one <code>send()</code>. The kernel's packet
generator, pktgen, is the limit: it sends nobody's data.</p>
<p>A row counts only if the device transmitted as many datagrams as there were members times
sends. Others are void, and are shown as such.</p>
"""


def main():
    results = Results()
    missing = [name for name in COMMANDS if name not in results.files]
    sections = [INTRO]
    sections += [page.loud(f"MISSING: {name}.json. It comes from {COMMANDS[name]}.")
                 for name in missing]
    for section in (aims, curves, scale, cards, policies, table, slices, locked_and_misses,
                    sources, native, capacity, ordinary, void_rows, where_from):
        try:
            sections.append(section(results))
        except Missing as reason:
            sections.append(page.loud(f"{section.__name__.replace('_', ' ')}: {reason}"))
            missing.append(section.__name__)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(page.document("Group unicast: what a member costs", sections),
                   encoding="utf-8")
    print(OUT)

    if "--figures" in sys.argv[1:]:
        panels = [(f"{size} bytes", results.rows("micro", device="dummy", sndbuf="large",
                                                 changed=False, bytes=size))
                  for size in (100, 1000)]
        FIGURE.parent.mkdir(exist_ok=True)
        FIGURE.write_text(plots.curves(panels, "instructions a member, dummy device"),
                          encoding="utf-8")
        print(FIGURE)
    for name in missing:
        print(f"missing: {name}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
