#!/usr/bin/env bash
# What the rest of the interface costs: IPv6 beside IPv4, joining and leaving,
# memory. Result: interface.json.
# shellcheck source=tests/bench/bench.sh
. "$(dirname "$0")/bench.sh"

bench_kernel
bench_programs
boot_counted interface guest-interface.sh
"$BENCH/collect.py" interface "tests/bench/interface.sh" "$OUT/interface.out/results" >&2
"$BENCH/aims.py" --only interface
