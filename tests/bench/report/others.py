# SPDX-License-Identifier: GPL-2.0-only
"""The sections about what the neighbouring directories measured."""

import page
import plots
from measured import page_svg, pick


def slices(results):
    return ("<h2>Where a send's cost goes</h2>" +
            page.kind("instructions", "Each executed block is counted by a QEMU plugin, and put "
                      "down to its function and the function's layer.") +
            by_layer(results.rows("slices")) + by_layer(results.rows("card")))


def by_layer(rows):
    out, device = [], rows[0]["device"]
    for size in sorted({row["bytes"] for row in rows}):
        mine = [row for row in pick(rows, bytes=size) if row.get("layer")]
        members = max(row["members"] for row in mine)
        mine = pick(mine, members=members)
        whole = {row["way"]: row["value"] for row in mine if row["layer"] == "all"}
        mine = [row for row in mine if row["layer"] != "all"]
        layers = list(dict.fromkeys(row["layer"] for row in mine))
        ways = [way for way in dict.fromkeys(row["way"] for row in mine)]

        def value(way, layer, among=mine):
            return sum(row["value"] for row in pick(among, way=way, layer=layer))

        sums = {way: sum(row["value"] for row in pick(mine, way=way)) for way in ways}
        check = [[page.text(plots.label(way)), page.number(sums[way], 1),
                  page.number(whole.get(way), 1)] for way in ways]
        out += [f"<h3>{device}, {size} bytes, N = {members:,}</h3>",
                page_svg(plots.stacked(ways, layers, value, "instructions a member"),
                         f"slices-{device}{size}"),
                page.table(["way", "sum of the layers", "counted as a whole"], check)]
    return "".join(out)


def locked_and_misses(results):
    locked, cache = results.rows("locked"), results.rows("cache")
    misses = [row for row in cache if row["unit"].startswith("misses")]
    levels = list(dict.fromkeys(row["level"] for row in misses))
    body = []
    for way in [way for way in plots.ORDER if pick(locked, way=way)]:
        atomic = [row["value"] for row in pick(locked, way=way, members=100, bytes=100)]
        few = [pick(misses, way=way, level=level, members=100) for level in levels]
        many = [[row for row in pick(misses, way=way, level=level) if row["members"] > 60000]
                for level in levels]
        body.append([page.text(plots.label(way)), page.number(sum(atomic), 2), *(
            page.number(found[0]["value"], 2) if found else "" for found in few + many)])
    head = [f"{level} misses, N = {n}" for n in ("100", "65,536") for level in levels]
    return ("<h2>What instruction counts hide</h2>" +
            page.kind("instructions", "Locked instructions a member.") +
            page.kind("model", "Cache misses a member: " + ", ".join(
                f"{key} {value}" for key, value in
                results.files["cache"].get("model", {}).items())) +
            page.table(["way", "locked instructions", *head], body))


def sources(results):
    """The paper's three, each with its figure."""
    def both(name, **wanted):
        return [sum(row["value"] for row in results.rows(name, way=way, **wanted))
                for way in ("connected", "group")]

    lines = [
        ("a tight loop: instructions a member, dummy, N = 100, 100 bytes",
         both("micro", device="dummy", members=100, bytes=100, sndbuf="large", changed=False), 0),
        *((f"{what} a datagram, {device}, N = 100, 100 bytes",
           both("doorbells", device=device, members=100, sndbuf="large",
                unit=f"{what}/datagram"), 4)
          for what in ("doorbells", "interrupts") for device in ("e1000", "virtio-net")),
        *((f"cache: modelled {level} misses a member, N = 100",
           both("cache", members=100, level=level, unit="misses a member"), 3)
          for level in ("L1i", "L1d", "L2")),
    ]
    body = [[page.text(what), page.number(user, digits), page.number(kernel, digits),
             f"{user / kernel:.2f}" if kernel else ""] for what, (user, kernel), digits in lines]
    return ("<h2>The paper's three sources of the gain</h2><p>A tight loop in the kernel, fewer "
            "interrupts, better use of the cache: what is left of each on this kernel.</p>" +
            page.table(["source", "connected sockets", "group", "times less"], body))


def ordinary(results):
    rows = results.rows("iperf")
    body = [[page.text(row["way"]), page.text(row["device"]), page.text(row["kernel"]),
             page.number(row["value"], 1), page.text(row["unit"]),
             f"{row['packets']:,} of {row['due']:,} datagrams" if "due" in row else
             f"{row['bytes arrived']:,} of {row['bytes sent']:,} bytes"] for row in rows]
    return ("<h2>The ordinary send path</h2>" + page.kind("instructions") +
            page.table(["what", "device", "kernel", "", "", "came through"], body))


def native(results):
    rows = results.rows("um")
    body = [[page.text(row["way"]), page.number(row["value"], 1),
             f"{min(row['rounds']):,.0f} to {max(row['rounds']):,.0f}" if row.get("rounds") else "",
             page.text(row.get("method", "")), f"{row['packets']:,} of {row['due']:,}"]
            for row in rows]
    return ("<h2>At native speed</h2><p>One call to 65,536 members, 100 bytes, dummy device.</p>" +
            page.kind("native") +
            page.table(["way", "ns a member", "from, to", "measured by", "transmitted"], body))


def capacity(results):
    checks = [row for row in results.rows("capacity", role="prediction") if "error" in row] or \
        [row for row in results.rows("capacity", role="check") if "error" in row]
    worst = {}
    for row in checks:
        key = (row["way"], row["bytes"])
        worst.setdefault(key, []).append(abs(row["error"]))
    body = [[page.text(plots.label(way)), str(size), str(len(errors)),
             f"{100 * max(errors):.2f} %"] for (way, size), errors in sorted(worst.items())]
    return ("<h2>The model: how many members fit</h2><p><code>groupcast capacity</code> predicts "
            "it from a short calibration; here its predictions beside what was measured.</p>" +
            page.kind("model", "Checked by instruction counts.") +
            page.table(["way", "bytes", "points", "largest error"], body))
