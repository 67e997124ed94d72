#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Counts what tests have left: verdict.py KERNEL-TREE EXPECTED DIR...

KTAP (*.ktap) is read by the kernel's own kunit.py, GoogleTest's *.xml as it
is; *.ok only has to be there. EXPECTED names, separated by commas, every file
that must be there: a program that left nothing has failed. A test that was
skipped has failed, too.
The last line is "N passed, N failed".
"""

import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree


def from_ktap(kunit, path):
    """Yields (name, problem) for each test of a KTAP file."""
    run = subprocess.run(
        [sys.executable, str(kunit), "parse", "--json", str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    text = run.stdout
    start = text.find("\n{")
    if start < 0:
        yield path.name, "kunit.py cannot read it: " + text[-500:]
        return
    report, _ = json.JSONDecoder().raw_decode(text[start:].lstrip())
    found = 0

    def walk(group, prefix):
        for case in group.get("test_cases", []):
            yield f"{prefix}{group['name']}.{case['name']}", case["status"]
        for sub in group.get("sub_groups", []):
            yield from walk(sub, prefix)

    for name, status in walk(report, ""):
        found += 1
        yield name, None if status == "PASS" else status
    if not found:
        yield path.name, "no tests in it"
    elif run.returncode:
        yield path.name, f"kunit.py ended with {run.returncode}"


def from_gtest(path):
    """Yields (name, problem) for each test of a GoogleTest report."""
    found = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        found += 1
        name = f"{path.stem}: {case.get('classname')}.{case.get('name')}"
        failures = [f.get("message", "") for f in case.findall("failure")]
        if failures:
            yield name, "\n".join(failures)
        elif case.get("status") != "run" or case.find("skipped") is not None:
            yield name, "was skipped"
        else:
            yield name, None
    if not found:
        yield path.name, "no tests in it"


def main():
    tree, expected = pathlib.Path(sys.argv[1]), sys.argv[2].split(",")
    kunit = tree / "tools/testing/kunit/kunit.py"
    files = {}
    for directory in sys.argv[3:]:
        for path in sorted(pathlib.Path(directory).glob("*")):
            if path.suffix in (".ktap", ".xml", ".ok"):
                files[path.name] = path

    passed, failed = 0, 0
    for name in sorted(set(files) | set(filter(None, expected))):
        if name not in files:
            results = [(name, "is not there")]
        elif files[name].suffix == ".ktap":
            results = from_ktap(kunit, files[name])
        elif files[name].suffix == ".ok":
            results = [(name, None)]
        else:
            results = from_gtest(files[name])
        good = 0
        for test, problem in results:
            if problem is None:
                good += 1
            else:
                failed += 1
                print(f"FAILED {test}: {problem}")
        passed += good
        print(f"{good:4} passed  {name}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
