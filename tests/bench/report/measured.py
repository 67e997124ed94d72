# SPDX-License-Identifier: GPL-2.0-only
"""The sections about what this directory's own programs measured."""

import page
import plots
from aims import times


def pick(rows, **wanted):
    return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]


def three_panels(rows, name, unit, log=False):
    """The paper's three micro-benchmarks: two sizes, and a changing group."""
    large = pick(rows, sndbuf="large")
    panels = [("100 bytes", pick(large, bytes=100, changed=False)),
              ("1000 bytes", pick(large, bytes=1000, changed=False)),
              ("100 bytes, a member changed before each send", pick(large, changed=True))]
    return page_svg(plots.curves(panels, unit, log), name)


def page_svg(svg, name):
    return plots.inline(svg, name)


def by_buffer(rows):
    """The same with the system's default send buffer, beside the large one."""
    return "".join(
        f"<p>{what}, with the default and with a large send buffer:</p>" +
        buffer_table([row for row in pick(rows, bytes=size, changed=changed)
                      if row["variant"] == "plain"])
        for what, size, changed in (("100 bytes", 100, False), ("1000 bytes", 1000, False),
                                    ("100 bytes, a member changed before each send", 100, True)))


def buffer_table(rows):
    small = pick(rows, sndbuf="default")
    columns = [(n, sndbuf) for n in sorted({row["members"] for row in small})
               for sndbuf in ("default", "large")]
    body = []
    for way in [way for way in plots.ORDER if pick(small, way=way)]:
        found = [pick(rows, way=way, members=n, sndbuf=sndbuf) for n, sndbuf in columns]
        body.append([page.text(plots.label(way)), *(cell(f[0]) if f else "" for f in found)])
    return page.table(["way", *(f"N = {n:,}, {sndbuf}" for n, sndbuf in columns)], body)


def cell(row, digits=0):
    if "void" in row:
        return f'<span class="void" title="{page.text(row["void"])}">void</span>'
    if "not_possible" in row:
        return f'<span class="void" title="{page.text(row["not_possible"])}">not possible</span>'
    return page.number(row["value"], digits)


def curves(results):
    out = ["<h2>Instructions over the number of members</h2>",
           page.kind("instructions", "Crosses on the axis are void.")]
    notes = {
        "dummy": "A device that throws away what it gets: everything down to the driver.",
        "veth": "The other end of the pair drops each frame at once, on the same processor, so "
                "its part is in the figure.",
    }
    rows = results.rows("micro")
    for device, note in notes.items():
        mine = pick(rows, device=device)
        out += [f"<h3>{device}</h3><p>{note}</p>",
                three_panels(mine, device, "instructions a member"), by_buffer(mine)]
    return "".join(out)


def scale(results):
    rows = results.rows("scale")
    panels = [(title, pick(rows, variant=variant)) for variant, title in
              (("on-link", "on the link"), ("gateway", "behind one gateway"))]
    return ("<h2>Large groups</h2>" + page.kind("instructions", "Dummy device, 100 bytes.") +
            page_svg(plots.curves(panels, "instructions a member"), "scale"))


def doorbell_table(results):
    rows = results.rows("doorbells", sndbuf="large", members=100)
    body = []
    for device in ("e1000", "virtio-net"):
        for way in plots.ORDER:
            found = {row.get("unit", ""): row for row in pick(rows, device=device, way=way)}
            if found:
                body.append([device, page.text(plots.label(way)), *(
                    cell(found[unit], digits) if unit in found
                    else cell(next(iter(found.values())))
                    for unit, digits in (("doorbells/datagram", 4), ("interrupts/datagram", 4),
                                         ("instructions/member", 0)))])
    limits = sorted({row["queue_limit"] for row in pick(rows, device="e1000", way="group")
                     if "queue_limit" in row})
    grown = f"BQL's limit on e1000 stood at {limits[-1]:,} bytes. " if limits else \
        "The kernel has no byte queue limits. "
    return ("<h3>Doorbells and interrupts a datagram, N = 100, 100 bytes</h3>" +
            page.kind("device count", grown + "Instructions are of the same run.") +
            page.table(["device", "way", "doorbells", "interrupts", "instructions"], body))


def interleaved(rows, device):
    mine = pick(rows, device=device, variant="interleaved")
    base = next((row for row in pick(mine, way="connected") if "void" not in row), None)
    body = []
    for way in plots.ORDER:
        for row in pick(mine, way=way):
            fine = "void" not in row and "not_possible" not in row
            body.append([page.text(plots.label(way)), cell(row),
                         f"{min(row['rounds']):,.0f} to {max(row['rounds']):,.0f}" if fine else "",
                         f"{times(row, base):.2f}" if fine and base else "",
                         f"{row['packets']:,} of {row['due']:,}" if "due" in row else ""])
    return (f"<p>{device}, N = 100, 100 bytes, median of {len(base['rounds']) if base else 0} rounds, in "
            "each of which the ways take turns; times under connected: of the same round, the median:</p>" +
            page.table(["way", "ns a member", "from, to", "times under connected",
                        "transmitted"], body))


def cards(results):
    rows = results.rows("cards")
    curve_rows = pick(rows, variant="plain")
    out = ["<h2>Emulated cards</h2>", doorbell_table(results),
           "<h3>Wall clock</h3>", page.kind("wall clock")]
    for device in ("e1000", "virtio-net"):
        mine = pick(curve_rows, device=device)
        limits = [row for row in pick(rows, device=device, variant="interleaved")
                  if row["way"].startswith("pktgen")]
        out += [interleaved(rows, device),
                three_panels(mine + limits, device, "ns a member, wall clock", log=True), by_buffer(mine)]
    return "".join(out)


def policies(results):
    rows = results.rows("variants")
    variants = ("plain", "nftables", "conntrack", "apparmor")
    body = []
    for size in (100, 1000):
        for way in plots.ORDER:
            found = pick(rows, way=way, bytes=size)
            if found:
                body.append([page.text(plots.label(way)), str(size), *(
                    cell(row) for variant in variants for row in pick(found, variant=variant))])
    return ("<h2>With policies on</h2><p>A rule of nftables that counts, connection tracking, "
            "and AppArmor as the security module; N = 100.</p>" + page.kind("instructions") +
            page.table(["way", "bytes", *variants], body))


def table(results):
    rows = results.rows("table")
    body = []
    for row in rows:
        ok = "void" not in row and "value" in row
        body.append([
            f"{row['members']:,}" + (" (chosen)" if row["chosen"] else ""),
            page.number(row["user_ms"], 2), page.number(row["kernel_ms"], 2),
            page.number(row["fraction"], 2), page.number(row["value"], 2) if ok else cell(row),
            page.number(row.get("members_that_fit")) if ok else "",
            page.number(row.get("tried_fraction"), 2) if ok else "",
            f"{row['paper_members']}", page.number(row["paper_fraction"], 2),
            page.number(row["paper_factor"], 2)])
    return ("<h2>The paper's table</h2><p>100 bytes to N members every 33.3 ms on e1000. The "
            "increase factor is 1 / (1 &minus; f + f / r), where f is the part of the interval "
            "that the program's send takes, until the device has taken everything, and r how many "
            "times as fast the kernel's is. "
            "&ldquo;Tried&rdquo; is the part of the interval that the send to so many members, "
            "and the other work for each of them, then took. In the rows marked chosen N is such "
            "that the program's send takes as much of the interval as it did in the paper, which "
            "is where factors can be compared.</p>" + page.kind("wall clock") +
            page_svg(plots.table_plot([row for row in rows if row["chosen"]]), "table") +
            page.table(["N", "program's send, ms", "kernel's send, ms", "fraction",
                        "increase factor", "members that fit", "tried", "paper's N",
                        "paper's fraction", "paper's factor"], body))


def void_rows(results):
    body = []
    for name, result in results.files.items():
        for row in result["rows"]:
            for word in ("void", "not_possible"):
                if word in row:
                    where = [row.get(key) for key in ("device", "way", "variant")]
                    body.append([name, " ".join(page.text(w) for w in where if w),
                                 page.number(row.get("members")), str(row.get("bytes", "")),
                                 page.text(row.get("sndbuf", "")), word.replace("_", " "),
                                 page.text(row[word])])
    return ("<h2>What was dropped, and what was not possible</h2>" +
            "<p>The cards' queue holds 1,000 packets. A way that sends more in one go than that, "
            "from sockets that do not block, loses the rest, in each case without an error from "
            "<code>send()</code>; a group counts them in SO_GRPSTAT.</p>" +
            page.table(["result", "row", "members", "bytes", "buffer", "", "why"], body))
