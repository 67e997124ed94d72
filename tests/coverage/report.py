#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Line coverage of the kernel's part: report.py OBJ OUT DIR...

OBJ is the kernel's build directory, each DIR has the *.gcda files of a guest;
a line counts if any guest came to it. OUT gets the lines that none came to.
Fails if less than AIM percent of the lines were run, or if one was not that
unreached.txt does not explain. That one is a line for each: the function and
the text of the source line, and indented below it why.

What is inline in include/net counts only where the project's own files use it:
the existing files with the hooks are not instrumented.
"""

import collections
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

AIM = 95
HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parent.parent


def gcov(obj, data, files):
    """Yields (file, function, line, count) of one .gcda file, for those of FILES."""
    notes = next(d / (data.stem + ".gcno") for d in (obj / "net/ipv4", obj / "net/core")
                 if (d / (data.stem + ".gcno")).exists())
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(notes, scratch)
        shutil.copy(data, scratch)
        run = subprocess.run(["gcov", "--json-format", "--stdout", data.name],
                             cwd=scratch, stdout=subprocess.PIPE, check=True)
    for source in json.loads(run.stdout)["files"]:
        name = next((n for n in files if f"/{source['file']}".endswith(f"/{n}")), None)
        for line in source["lines"] if name else ():
            yield name, line.get("function_name", ""), line["line_number"], line["count"]


def sources():
    """The files that are this project's, by their names in the kernel's tree."""
    found = {}
    for pattern in ("net/ipv4/udp_group_*.[ch]", "net/core/xmit_batch.c",
                    "include/net/udp_group.h", "include/net/xmit_batch.h"):
        for path in sorted(REPO.glob(pattern)):
            if not path.stem.endswith("_kunit"):
                found[str(path.relative_to(REPO))] = path
    return found


def read_explained(path):
    """What unreached.txt explains: {(function, text): reason}."""
    explained, key = {}, None
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            explained[key] = (explained[key] + " " + line.strip()).strip()
        else:
            function, _, text = line.partition(": ")
            key = (function, " ".join(text.split()))
            explained[key] = ""
    return explained


def main():
    obj, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    files = sources()
    counts = collections.defaultdict(int)
    functions = {}
    for directory in sys.argv[3:]:
        for data in sorted(pathlib.Path(directory).glob("*.gcda")):
            for name, function, line, count in gcov(obj, data, files):
                counts[name, line] += count
                functions.setdefault((name, line), function)
    if not counts:
        print("nothing was counted")
        return 1

    explained = read_explained(HERE / "unreached.txt")
    unknown, listing = [], []
    print(f"{'lines':>6} {'run':>6} {'%':>6}  file")
    total = total_run = 0
    for name, path in files.items():
        lines = sorted(line for file, line in counts if file == name)
        if not lines:
            if path.suffix == ".c":
                unknown.append(f"{name}: nothing of it was counted")
            continue
        text = path.read_text().splitlines()
        missed = [line for line in lines if not counts[name, line]]
        total += len(lines)
        total_run += len(lines) - len(missed)
        share = 100 * (len(lines) - len(missed)) / len(lines)
        print(f"{len(lines):6} {len(lines) - len(missed):6} {share:6.1f}  {name}")
        for line in missed:
            source = " ".join(text[line - 1].split())
            key = (functions[name, line], source)
            if key not in explained:
                unknown.append(f"{name}:{line}: {key[0]}: {source}")
            listing.append(f"{name}:{line}: {key[0]}: {source}\t{explained.get(key, '?')}")
    share = 100 * total_run / total
    print(f"{total:6} {total_run:6} {share:6.1f}  all")
    out.write_text("\n".join(listing) + "\n")

    # An explanation of what the sources do not have is none.
    everything = {" ".join(line.split()) for path in files.values()
                  for line in path.read_text().splitlines()}
    stale = [key for key in explained if key[1] not in everything]
    empty = [key for key in explained if not explained[key]]
    for what in unknown:
        print(f"not run, and not explained: {what}")
    for function, text in stale:
        print(f"explained, and not in the sources: {function}: {text}")
    for function, text in empty:
        print(f"listed without a reason: {function}: {text}")
    print(f"{len(listing)} lines were not run, {len(listing) - len(unknown)} of them explained")
    if share < AIM:
        print(f"less than {AIM} %")
    return 1 if share < AIM or unknown or stale or empty else 0


if __name__ == "__main__":
    sys.exit(main())
