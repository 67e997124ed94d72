#!/usr/bin/env bash
# What `make bench-quick` does: counts what a member costs on the bench kernel,
# and what the hooks cost who has no group. Result: quick.json. Fails if an aim
# that is about these figures is missed.
# shellcheck source=tests/bench/bench.sh
. "$(dirname "$0")/bench.sh"

bench_kernel
plain=$(plain_kernel)
bench_programs

boot_counted quick guest-quick.sh
BENCH_KERNEL=$plain boot_counted quick-plain guest-quick.sh
"$BENCH/collect.py" quick "make bench-quick" "$OUT/quick.out/results" \
	"$OUT/quick-plain.out/results" >&2

"$BENCH/quick.py"
"$BENCH/aims.py" --only quick
