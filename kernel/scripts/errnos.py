#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Do udp_group.rst and udp_group.7 name the same errors? errnos.py RST MAN"""

import re
import sys

# Sections of the manual page, and of the document: together they say the same
SAME = [
    (["Of all options", "Of SO_SETGRP, SO_ADDGRP and SO_DELGRP"],
     ["SO_SETGRP, set", "SO_ADDGRP", "SO_DELGRP", "SO_SETGRP, get"]),
    (["Of all options", "Of SO_GRPFLAGS"], ["SO_GRPFLAGS"]),
    (["Of all options", "Of SO_GRPSTAT"], ["SO_GRPSTAT"]),
    (["Of a send to a group"],
     ["UDP_GRP_SKIP", "UDP_GRP_PRIVATE", "UDP_GRP_SPREAD", "What send returns"]),
    (["Of members"], ["What became of a datagram"]),
]


def errnos(path, heading, entry):
    """The errnos that begin an entry of each section's table or list."""
    text = open(path, encoding="utf-8").read()
    parts = re.split(heading, text, flags=re.MULTILINE)[1:]
    return {name: set(re.findall(entry, part, re.MULTILINE))
            for name, part in zip(parts[::2], parts[1::2])}


rst = errnos(sys.argv[1], r"^(\S.*)\n[=~-]+$\n", r"^(E[A-Z0-9]+)  +\S")
man = errnos(sys.argv[2], r"^\.S[HS] (.*)$", r"^\.TP\n\.B (E[A-Z0-9]+)$")
failed = False
for in_man, in_rst in SAME:
    page = set().union(*(man[name] for name in in_man))
    document = set().union(*(rst[name] for name in in_rst))
    if page != document or not page:
        print(f"{in_man[-1]}: only in the page: {sorted(page - document)},",
              f"only in the document: {sorted(document - page)}")
        failed = True
sys.exit(failed)
