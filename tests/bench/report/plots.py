# SPDX-License-Identifier: GPL-2.0-only
"""The plots of the report, as SVG text."""

import io
import re

import matplotlib

matplotlib.use("svg")
# Text stays text, and the same figures make the same file.
matplotlib.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "groupcast", "font.family": "sans-serif",
    "font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#dddddd", "legend.frameon": False,
})

from matplotlib import pyplot  # noqa: E402  (the backend is chosen first)

# Colours that the colour-blind can tell apart, and marks for those who print.
STYLE = {
    "group": ("#009e73", "o"), "connected": ("#d55e00", "s"), "sendto": ("#e69f00", "^"),
    "sendmmsg": ("#56b4e9", "v"), "sendmmsg-batched": ("#0072b2", "D"),
    "io_uring": ("#cc79a7", "P"), "af_xdp": ("#777777", "X"),
    "pktgen-1": ("#000000", "."), "pktgen-64": ("#000000", "."),
}
ORDER = list(STYLE)
LABEL = {
    "connected": "connected sockets", "sendmmsg-batched": "sendmmsg, transmit batching",
    "af_xdp": "AF_XDP, copy mode", "pktgen-1": "pktgen, burst 1 (limit)",
    "pktgen-64": "pktgen, one packet, burst 64 (limit)",
}


def label(way):
    return LABEL.get(way, way)


def to_svg(figure):
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None},
                   bbox_inches="tight")
    pyplot.close(figure)
    text = out.getvalue()
    return text[text.index("<svg"):]


def inline(svg, name):
    """For a page with many: ids of its own, and as wide as there is room."""
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    return re.sub(r'<svg ([^>]*?)width="[^"]*"', r'<svg \1', svg, count=1) \
        .replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)


def figure_of(row):
    """A row's figure, or None if it is void or there is none."""
    return None if "void" in row or "not_possible" in row else row["value"]


def curves(panels, unit, log=False):
    """Panels side by side, (title, rows) each: a figure over the number of
    members. Void points are crosses on the axis, pktgen is a line across."""
    figure, axes = pyplot.subplots(1, len(panels), figsize=(4.6 * len(panels), 4),
                                   sharey=True, squeeze=False)
    seen = {}
    for axis, (title, rows) in zip(axes[0], panels):
        axis.set_xscale("log", base=4)
        limits = [row for row in rows if row["way"].startswith("pktgen")]
        rows = [row for row in rows if row not in limits]
        for way in ORDER:
            points = sorted((row["members"], figure_of(row)) for row in rows
                            if row["way"] == way and figure_of(row) is not None)
            void = [row["members"] for row in rows if row["way"] == way and "void" in row]
            color, mark = STYLE[way]
            if points:
                (line,) = axis.plot(*zip(*points), color=color, marker=mark, markersize=5,
                                    linewidth=2.6 if way == "group" else 1.3,
                                    zorder=3 if way == "group" else 2)
                seen[label(way)] = line
            if void:
                axis.plot(void, [0.02] * len(void), color=color, marker="x", linestyle="none",
                          transform=axis.get_xaxis_transform(), clip_on=False)
        for row in limits:
            if (value := figure_of(row)) is not None:
                seen[label(row["way"])] = axis.axhline(
                    value, color="black", linewidth=1,
                    linestyle="--" if row["way"] == "pktgen-1" else ":")
        ticks = sorted({row["members"] for row in rows})
        axis.set_xticks(ticks, [f"{n:,}" for n in ticks], rotation=45, fontsize=8)
        axis.minorticks_off()
        axis.set_xlabel("members")
        axis.set_title(title, fontsize=10)
    if log:
        axes[0][0].set_yscale("log")
    else:
        axes[0][0].set_ylim(bottom=0)
    axes[0][0].set_ylabel(unit + (", logarithmic" if log else ""))
    figure.legend(seen.values(), seen.keys(), loc="upper center", ncols=4,
                  bbox_to_anchor=(0.5, 0.0), fontsize=9)
    figure.tight_layout()
    return to_svg(figure)


def stacked(ways, layers, value, unit):
    """A bar for each way, made of its layers: value(way, layer)."""
    colors = pyplot.get_cmap("tab20").colors
    figure, axis = pyplot.subplots(figsize=(9, 0.55 * len(ways) + 1.2))
    for i, way in enumerate(ways):
        left = 0
        for j, layer in enumerate(layers):
            width = value(way, layer)
            axis.barh(i, width, left=left, color=colors[j % len(colors)],
                      label=layer if i == 0 else None)
            if width > 150:
                axis.text(left + width / 2, i, f"{width:,.0f}", ha="center", va="center",
                          fontsize=8)
            left += width
        axis.text(left, i, f"  {left:,.0f}", va="center", fontsize=9)
    axis.set_yticks(range(len(ways)), [label(way) for way in ways])
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set_xlabel(unit)
    figure.legend(loc="upper center", ncols=3, bbox_to_anchor=(0.5, 0.0), fontsize=8)
    return to_svg(figure)


def table_plot(rows):
    """The increase factor over the fraction, beside the paper's."""
    figure, axis = pyplot.subplots(figsize=(6, 4))
    paper = sorted({(row["paper_fraction"], row["paper_factor"]) for row in rows})
    axis.plot(*zip(*paper), color="black", marker="x", linestyle="--",
              label="the paper: Pentium II, e1000")
    here = sorted((row["fraction"], row["value"]) for row in rows
                  if figure_of_table(row) is not None)
    if here:
        axis.plot(*zip(*here), color=STYLE["group"][0], marker="o", label="here: emulated e1000")
    axis.set_xlabel("part of the interval that the program's send takes")
    axis.set_ylabel("increase factor")
    axis.set_ylim(bottom=0)
    axis.legend()
    return to_svg(figure)


def figure_of_table(row):
    return row.get("value") if "void" not in row else None
