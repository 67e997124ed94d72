#!/usr/bin/env bash
# The ordinary path: iperf3 with TCP and UDP, over loopback and veth, on the
# bench kernel with the patches and no group anywhere, and on the same without
# the patches. Leaves build/bench/results/iperf.json, and prints the instructions
# of both side by side. Fails if an exchange does not end well or loses something.
#
# BENCH_KERNEL= and PLAIN_KERNEL= name directories with a bzImage to boot instead
# of building them.
. "$(dirname "$0")/../../../kernel/scripts/common.sh"

here=$REPO/tests/bench/iperf
out=$REPO/build/bench/iperf
results=$REPO/build/bench/results
need build-essential python3 iperf3
mkdir -p "$out" "$results"
make -s -C "$here" OUT="$out"

# run NAME CONFIG DIRECTORY: boots that, or if there is none what it builds
run() {
	local bzimage=$3/bzImage obj=$3
	if [ -z "$3" ]; then
		bzimage=$("$REPO/kernel/scripts/build.sh" "$2" | tail -n 1)
		obj=${bzimage%/arch/*}
	fi
	"$REPO/tests/qemu/initramfs.sh" "$out/$1.gz" "$obj" "$here/guest.sh" \
		"$out/exchange=/bin/exchange" "$(command -v iperf3)=/usr/bin/iperf3"
	"$REPO/tests/bench/boot.sh" "$bzimage" "$out/$1.gz" "$out/$1.out"
}
run plain bench+plain "${PLAIN_KERNEL:-}"
run patched bench "${BENCH_KERNEL:-}"

"$here/report.py" "$out/plain.out/results" "$out/patched.out/results" "$results/iperf.json"
