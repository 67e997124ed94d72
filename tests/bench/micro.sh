#!/usr/bin/env bash
# The paper's micro-benchmarks: what a datagram to one member costs, for each
# way of sending, number of members, size and device; with the group changed
# between sends; with policies on; on emulated cards with their doorbells and
# interrupts. Results: micro.json, scale.json, variants.json, cards.json,
# doorbells.json.
# shellcheck source=tests/bench/bench.sh
. "$(dirname "$0")/bench.sh"

bench_kernel
bench_programs
collect() { "$BENCH/collect.py" "$1" "tests/bench/micro.sh" "${@:2}" >&2; }

# Instructions do not depend on what else the machine does, so guests whose
# clock counts them run side by side.
in_pairs() {
	local pids=() pid rc=0
	"$1" & pids+=($!)
	"$2" & pids+=($!)
	for pid in "${pids[@]}"; do wait "$pid" || rc=1; done
	return $rc
}

virtual() { boot_counted virtual guest-virtual.sh && collect micro "$OUT/virtual.out/results"; }

small() {
	boot_counted scale guest-scale.sh && collect scale "$OUT/scale.out/results"
	boot_counted variants guest-variants.sh &&
		APPEND=lsm=apparmor boot_counted lsm guest-variants.sh &&
		collect variants "$OUT/variants.out/results" "$OUT/lsm.out/results"
	boot_counted doorbells guest-cards-count.sh "${CARDS[@]}" \
		-device isa-debugcon,iobase=0xe9,chardev=marks -chardev null,id=marks \
		-trace memory_region_ops_write -trace virtio_queue_notify -D "$OUT/doorbells.trace" &&
		mv "$OUT/doorbells.out/results/rows" "$OUT/doorbells.out/rows" &&
		"$BENCH/doorbells.py" "$OUT/doorbells.trace" "$OUT/doorbells.out/rows" \
			>"$OUT/doorbells.out/results/rows" &&
		rm "$OUT/doorbells.trace" &&
		collect doorbells "$OUT/doorbells.out/results"
}

in_pairs virtual small
boot_timed cards guest-cards-time.sh "${CARDS[@]}"
collect cards "$OUT/cards.out/results"
