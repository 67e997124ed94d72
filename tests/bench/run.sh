#!/usr/bin/env bash
# What `make bench-quick` does: counts what a member costs on the bench kernel.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

out=$REPO/build/bench
need build-essential

mkdir -p "$out"
bzimage=$("$REPO/kernel/scripts/build.sh" bench | tail -n 1)
make -s -C "$REPO/tests/bench" OUT="$out"
"$REPO/tests/qemu/initramfs.sh" "$out/count.gz" "${bzimage%/arch/*}" \
	"$REPO/tests/bench/guest-count.sh" "$out/count=/bin/count"
"$REPO/tests/bench/boot.sh" "$bzimage" "$out/count.gz" "$out/count.out"

count=$out/count.out/results/count
cat <<EOF

Instructions for one datagram to one member, with its part of the system call.
Linux $KVER, config bench, dummy device, exact counts (QEMU -icount). Every
row's datagrams were all counted by the device.

$(awk 'BEGIN { printf "  %-12s %8s %8s %14s\n", "way", "members", "bytes", "instructions" }
	{ printf "  %-12s %8d %8d %14d\n", $1, $2, $3, $4 }' "$count")
EOF

# The aim at this step: never dearer than what it replaces.
awk '$5 != $6 { print "the device missed datagrams: " $0; bad = 1 }
	$1 == "sendmmsg" { mmsg[$3] = $4 }
	$1 == "group" && $4 > mmsg[$3] { print "dearer than sendmmsg: " $0; bad = 1 }
	END { exit bad }' "$count"
