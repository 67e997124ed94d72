#!/usr/bin/env bash
# What `make demo` does: builds the kernel, boots it, streams a file to 64
# receivers and says what came of it. FILE=PATH chooses the file.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

out=$REPO/build/demo
need build-essential libssl-dev

mkdir -p "$out"
bzimage=$("$REPO/kernel/scripts/build.sh" demo | tail -n 1)
obj=${bzimage%/arch/*}
make -s -C "$REPO/tests/demo" OUT="$out"
make -s -C "$REPO/tests/bench" OUT="$out"

# By default a file of two and a half megabytes that every 6.12 has.
file=${FILE:-$PRISTINE/drivers/accel/habanalabs/include/gaudi2/asic_reg/gaudi2_blocks_linux_driver.h}
[ -s "$file" ] || die "no such file, or it is empty: $file"
sum=$(sha256sum <"$file" | cut -d' ' -f1)

"$REPO/tests/qemu/initramfs.sh" "$out/stream.gz" "$obj" "$REPO/tests/demo/guest.sh" \
	"$out/stream=/bin/stream" "$file=/stream.data"
"$REPO/tests/qemu/boot.sh" "$bzimage" "$out/stream.gz" "$out/stream.out" 900 -smp 2

"$REPO/tests/qemu/initramfs.sh" "$out/count.gz" "$obj" "$REPO/tests/bench/guest-count.sh" \
	"$out/count=/bin/count"
"$REPO/tests/bench/boot.sh" "$bzimage" "$out/count.gz" "$out/count.out"

stream=$out/stream.out/results/stream
count=$out/count.out/results/count

cost() { awk -v way="$1" -v n="$2" '$1 == way && $3 == n { print $4 }' "$count"; }
row() {
	printf '  %-36s %10s %12s %12s\n' "$1" \
		"$(awk -v way="$2" '$1 == way { t = $5 } END { printf "%.1f", t / 1000 }' "$stream")" \
		"$(cost "$2" 100)" "$(cost "$2" 1000)"
}

read -r way receivers equal datagrams _ < <(sed -n 2p "$stream")
[ "$way" = group ] || die "the stream left no result"
cat <<EOF

A file of $(stat -c %s "$file") bytes, $file,
was sent to $receivers receivers in 4 network namespaces of a guest that runs the
patched Linux $KVER: $datagrams datagrams, one send() each, $((datagrams * receivers)) datagrams in all.

  SHA-256 of the file        $sum
  the same at the receivers  $equal of $receivers

The same stream was then sent in each of these ways, and arrived whole. What
one datagram to one member costs the sender:

                                          in the      instructions, dummy device
                                       stream, us        100 bytes   1000 bytes
$(row "connected sockets, send() on each" connected)
$(row "one socket, sendmmsg()" sendmmsg)
$(row "a group, one send()" group)

The first column is the sender's processor time in this run, in an emulated
machine, with the delivery to the receivers in it: only its ratios mean anything.
The others are exact counts, 100 members, and repeat.
EOF

# Every line of every way, or the demonstration has failed.
awk -v sum="$sum" '
	NR == 1 { bad = $3 != sum; next }
	{ ways++; bad += $2 != 64 || $3 != $2 }
	END { exit bad || ways != 4 }' "$stream" || die "a receiver got something else"
[ "$(cut -d' ' -f1 "$out/stream.out/results/sha256")" = "$sum" ] || die "the guest had another file"
missed=$(awk '$5 != $6 { n++ } END { print n + 0 }' "$count")
[ "$missed" = 0 ] || die "the dummy device has not transmitted everything"
say "demonstration passed"
