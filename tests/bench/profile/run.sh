#!/usr/bin/env bash
# Profiles of the ways of sending, counted by a plugin of QEMU:
#
#   run.sh [all]    test, slices, card, cache; results in build/bench/results
#   run.sh test     the plugin counts what is known beforehand
#   run.sh slices   instructions by layer, and those that lock the bus
#   run.sh card     instructions by layer on an emulated e1000
#   run.sh cache    misses of modelled caches, at 100 and 65,536 members
#   run.sh functions WAY[,WAY...] MEMBERS BYTES [TOP]
#                   the kernel's functions by instructions a member
#
# BENCH_KERNEL=DIR takes the bzImage, System.map and root/ there in place of the
# bench kernel. WAYS="WAY..." are those that are measured, in turn.
. "$(dirname "$0")/../bench.sh"

here=$REPO/tests/bench/profile
out=$REPO/build/bench/profile
results=$REPO/build/bench/results
read -ra ways <<<"${WAYS:-connected sendto sendmmsg sendmmsg-batched io_uring af_xdp group}" # group last, see below

# boot NAME PLUGIN-OPTIONS [QEMU-OPTION...]: runs the plan, its results in
# $out/NAME.run.
# One CPU would have Linux replace its LOCK prefixes, which are to be counted.
boot() {
	local dir=$out/$1.run
	rm -rf "$dir.windows"
	mkdir -p "$dir.windows"
	printf '%s\n' "${plan[@]}" >"$dir.plan"
	plan=() window=0
	"$REPO/tests/qemu/initramfs.sh" "$dir.gz" "$BENCH_KERNEL" "$here/guest.sh" "$dir.plan=/plan" \
		"$BENCH/guest-net.sh=/net.sh" "$out/slice=/bin/slice" "$out/known=/bin/known" \
		"$out/count=/bin/count" "${BATCH_FILES[@]}"
	CPU=max,-erms,-fsrm APPEND=noreplace-smp \
		"$REPO/tests/qemu/boot.sh" "$BENCH_KERNEL/bzImage" "$dir.gz" "$dir" 1800 \
		-smp 1 -icount shift=0,sleep=off -plugin "$out/profile.so,out=$dir.windows$2" \
		"${@:3}"
	mv "$dir.windows" "$dir/windows"
}

# report WHAT ARGUMENT...
report() { python3 "$here/profile.py" "$1" "$BENCH_KERNEL" "${@:2}"; }

run_test() {
	plan=(known)
	boot test ",cache=on"
	report known "$out/test.run"
}

# slice's arguments from the first member on, and what is sent to how many. It
# sleeps first, so that what the program before has left is cleared away. The
# group comes last: until there has been one, the others pay nothing for it.
window=0
plan=()
add_slice() { # MEMBER MEMBERS BYTES WARM SENDS ROUNDS WAY
	plan+=("sleep 3" "slice d0 ${*:1:6} $window $7")
	window=$((window + $6))
}

run_slices() {
	local way bytes
	for way in "${ways[@]}"; do
		for bytes in 100 1000; do
			# those that count knows
			case $way in connected | sendto | sendmmsg | group)
				plan+=("count d0 100 $bytes $way >>/results/count") ;;
			esac
			add_slice 10.64.0.2 100 $bytes 5 20 5 "$way"
		done
	done
	boot slices ""
	report slices "$results/slices.json" "$command" "$out/slices.run"
	report locked "$results/locked.json" "$command" "$out/slices.run"
}

# BQL's limit has grown after some sends: then the device is one that never stops.
run_card() {
	local way
	for way in "${ways[@]}"; do add_slice 10.64.0.2 100 100 20 20 5 "$way"; done
	boot card "" -device e1000,romfile=
	report card "$results/card.json" "$command" "$out/card.run"
}

# A connected socket has a port of its own, so there can be 65,535 of them, with
# every port allowed.
run_cache() {
	local way members
	plan+=("echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start"
		"echo 1 65535 >/proc/sys/net/ipv4/ip_local_port_range")
	for way in "${ways[@]}"; do
		members=65536
		[ "$way" != connected ] || members=65535
		add_slice 10.128.0.1 100 100 5 20 5 "$way"
		add_slice 10.128.0.1 $members 100 1 1 1 "$way"
	done
	MEMORY=${MEMORY:-3G} boot cache ",cache=on"
	report cache "$results/cache.json" "$command" "$out/cache.run"
}

case ${1:-all} in
all | test | slices | card | cache) ;;
functions) [ $# -ge 4 ] || die "usage: run.sh functions WAY[,WAY...] MEMBERS BYTES [TOP]" ;;
*) die "usage: run.sh [all|test|slices|card|cache|functions ...]" ;;
esac
command="tests/bench/profile/run.sh ${*:-all}"
[ -z "${WAYS:-}" ] || command="WAYS='$WAYS' $command"
[ -z "${BENCH_KERNEL:-}" ] || command="BENCH_KERNEL=DIR $command"
need qemu-system-x86

mkdir -p "$out"
bench_kernel
make -s -C "$here" OUT="$out"
make -s -C "$REPO/tests/bench" OUT="$out" "$out/count"

case ${1:-all} in
all)
	# not joined by &&, which would let a command inside of them fail
	run_test
	run_slices
	run_card
	run_cache
	;;
functions)
	IFS=, read -ra ways <<<"$2"
	for way in "${ways[@]}"; do add_slice 10.64.0.2 "$3" "$4" 5 20 5 "$way"; done
	boot functions ""
	report functions "$out/functions.run" "${5:-60}"
	;;
*) "run_$1" ;;
esac
