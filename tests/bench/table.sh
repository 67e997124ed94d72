#!/usr/bin/env bash
# The paper's table on its card, e1000. Result: table.json.
# shellcheck source=tests/bench/bench.sh
. "$(dirname "$0")/bench.sh"

bench_kernel
bench_programs
boot_timed table guest-table.sh "${CARDS[@]}"
"$BENCH/collect.py" table tests/bench/table.sh "$OUT/table.out/results" >&2
