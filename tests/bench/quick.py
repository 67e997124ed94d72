#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Prints what `make bench-quick` measured."""

import sys

from aims import Missing, Results

WAYS = ("connected", "sendto", "sendmmsg", "group")


def main():
    results = Results()

    def figure(way, size, variant):
        return f"{results.value('quick', way=way, bytes=size, variant=variant):12,.0f}"

    print(f"""
Instructions for one datagram to one member, with its part of the system call.
{results.files['quick']['kernel']}, dummy device, 100 members, exact counts (QEMU
-icount). Every row's datagrams were all counted by the device.

  {'way':10}{'100 bytes':>12}{'1000 bytes':>12}""")
    for way in WAYS:
        print(f"  {way:10}{figure(way, 100, 'plain')}{figure(way, 1000, 'plain')}")
    print(f"""
What the ordinary ways cost at 100 bytes, on the same kernel built without group
unicast, with it and no group yet, and once there has been one:

  {'way':10}{'without':>12}{'with':>12}{'after one':>12}""")
    for way in WAYS[:3]:
        print(f"  {way:10}" + "".join(figure(way, 100, variant) for variant in
                                      ("without", "with, no group", "after one")))
    print("\nThe aims:\n")


if __name__ == "__main__":
    try:
        main()
    except Missing as reason:
        sys.exit(f"quick: {reason}")
