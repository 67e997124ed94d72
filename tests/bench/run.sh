#!/usr/bin/env bash
# What `make bench-quick` does: counts what a member costs on the bench kernel.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

out=$REPO/build/bench
need build-essential

mkdir -p "$out"
bzimage=$("$REPO/kernel/scripts/build.sh" bench | tail -n 1)
plain=$("$REPO/kernel/scripts/build.sh" bench+plain | tail -n 1)
make -s -C "$REPO/tests/bench" OUT="$out"

# run NAME BZIMAGE SCRIPT: leaves its results in $out/NAME.out/results
run() {
	"$REPO/tests/qemu/initramfs.sh" "$out/$1.gz" "${2%/arch/*}" "$REPO/tests/bench/$3" \
		"$out/count=/bin/count"
	"$REPO/tests/bench/boot.sh" "$2" "$out/$1.gz" "$out/$1.out"
}
run count "$bzimage" guest-count.sh
run hooks "$bzimage" guest-plain.sh
run plain "$plain" guest-plain.sh

count=$out/count.out/results/count
cat <<EOF

Instructions for one datagram to one member, with its part of the system call.
Linux $KVER, config bench, dummy device, exact counts (QEMU -icount). Every
row's datagrams were all counted by the device.

$(awk 'BEGIN { printf "  %-12s %8s %8s %14s\n", "way", "members", "bytes", "instructions" }
	{ printf "  %-12s %8d %8d %14d\n", $1, $2, $3, $4 }' "$count")

What the ordinary ways cost at 100 bytes, on the same kernel built without group
unicast, with it and no group yet, and once there has been one:

$(awk 'BEGIN { printf "  %-12s %10s %10s %10s\n", "way", "without", "with", "after one" }
	{ n[$1] = n[$1] sprintf(" %10d", $4) }
	END { for (way in n) printf "  %-12s%s\n", way, n[way] }' \
		"$out/plain.out/results/before" "$out/hooks.out/results/before" "$out/hooks.out/results/after")
EOF

# A kernel with groups that nobody uses is as fast as one without, to within
# what aligns differently in the two.
paste -d' ' "$out/plain.out/results/before" "$out/hooks.out/results/before" | awk '
	{ diff = $10 - $4; if (diff < 0) diff = -diff }
	diff > 4 { print "not free when unused: " $0; bad = 1 }
	END { exit bad }'

# The aim at this step: never dearer than what it replaces.
awk '$5 != $6 { print "the device missed datagrams: " $0; bad = 1 }
	$1 == "sendmmsg" { mmsg[$3] = $4 }
	$1 == "group" && $4 > mmsg[$3] { print "dearer than sendmmsg: " $0; bad = 1 }
	END { exit bad }' "$count"
