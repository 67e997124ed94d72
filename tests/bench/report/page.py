# SPDX-License-Identifier: GPL-2.0-only
"""Pieces of the report's page."""

import html

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid #ccc; }
svg { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; } td.text { text-align: left; }
.kind { color: #555; font-size: .85rem; }
.met { color: #00734f; font-weight: bold; } .missed { color: #b00020; font-weight: bold; }
.loud { background: #b00020; color: white; padding: .8rem 1rem; font-weight: bold; }
.void { color: #b00020; }
"""

# What a figure is, said at each of them.
KINDS = {
    "instructions": "instruction count, exact (QEMU -icount)",
    "wall clock": "wall clock in an emulated machine: only ratios inside this run mean anything",
    "device count": "counted from the device's side, in a run of its own",
    "model": "modelled",
    "native": "wall clock at native speed (User-Mode Linux)",
}


def text(value):
    return html.escape(str(value))


def number(value, digits=0):
    return "" if value is None else f"{value:,.{digits}f}"


def kind(name, note=""):
    return f'<p class="kind">{text(KINDS[name])}{". " + text(note) if note else ""}</p>'


def loud(message):
    return f'<p class="loud">{text(message)}</p>'


def table(head, rows):
    """Rows of cells that are HTML already."""
    cells = "".join(f"<th>{text(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n"
                   for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead>\n<tbody>{body}</tbody></table>\n"


def document(title, sections):
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{text(title)}</title><style>{STYLE}</style></head>\n<body>\n"
            f"<h1>{text(title)}</h1>\n" + "\n".join(sections) + "\n</body></html>\n")
