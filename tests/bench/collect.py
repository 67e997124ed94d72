#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes a result of what guests left: collect.py NAME COMMAND DIR...

Each DIR is a guest's results, with rows of JSON in it. They become
build/bench/results/NAME.json.
"""

import json
import pathlib
import sys


def main():
    name, command, *dirs = sys.argv[1:]
    rows, kernels = [], set()
    for path in map(pathlib.Path, dirs):
        kernels.add((path / "kernel").read_text(encoding="utf-8").strip())
        text = (path / "rows").read_text(encoding="utf-8")
        rows += [json.loads(line) for line in text.splitlines()]
    if not rows:
        sys.exit(f"{name}: no rows")
    out = pathlib.Path(__file__).parents[2] / "build/bench/results" / f"{name}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    head = json.dumps({"experiment": name, "command": command,
                       "kernel": ", ".join(sorted(kernels)) + ", config bench"})
    body = ",\n".join(json.dumps(row) for row in rows)
    out.write_text(f'{head[:-1]}, "rows": [\n{body}\n]}}\n', encoding="utf-8")
    void = sum("void" in row for row in rows)
    impossible = sum("not_possible" in row for row in rows)
    print(f"{out}: {len(rows)} rows, {void} of them void, {impossible} not possible")


if __name__ == "__main__":
    main()
