#!/usr/bin/env bash
# Is what `groupcast capacity` predicts true? Boots the bench kernel with the
# tool on board, in QEMU with instructions for a clock, so that what it measures
# repeats exactly; it calibrates on small groups, predicts how many members fit
# for several sizes, intervals and budgets, and measures those. Leaves
# build/bench/results/capacity.json, prints the tool's table, and fails if a
# prediction is more than 10 % off or a way is missing.
#
# BENCH_KERNEL= names a directory with a bzImage to boot instead of building it.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

here=$REPO/tests/bench
out=$REPO/build/bench
results=$out/results
need build-essential python3
mkdir -p "$results"

if [ -n "${BENCH_KERNEL:-}" ]; then
	bzimage=$BENCH_KERNEL/bzImage obj=$BENCH_KERNEL
else
	bzimage=$("$REPO/kernel/scripts/build.sh" bench | tail -n 1)
	obj=${bzimage%/arch/*}
fi
make -s -C "$REPO/userspace" OUT="$out/lib" tools

"$REPO/tests/qemu/initramfs.sh" "$out/capacity.gz" "$obj" "$here/capacity-guest.sh" \
	"$out/lib/groupcast=/bin/groupcast"
"$here/boot.sh" "$bzimage" "$out/capacity.gz" "$out/capacity.out"
"$here/capacity-report.py" "$out/capacity.out/results" "$results/capacity.json"
