# shellcheck shell=bash
# What the scripts here share: the kernel, the programs, booting, results.
# Sourced.
. "$(dirname "${BASH_SOURCE[0]}")/../../kernel/scripts/common.sh"

BENCH=$REPO/tests/bench
OUT=$REPO/build/bench
RESULTS=$OUT/results
mkdir -p "$RESULTS"

need build-essential liburing-dev libxdp-dev libbpf-dev python3

# The bench kernel's directory, with bzImage, System.map and root/. BENCH_KERNEL
# is one that is there already.
bench_kernel() {
	local bzimage
	if [ -z "${BENCH_KERNEL:-}" ]; then
		bzimage=$("$REPO/kernel/scripts/build.sh" bench | tail -n 1)
		BENCH_KERNEL=${bzimage%/arch/*}
		ln -sf arch/x86/boot/bzImage "$BENCH_KERNEL/bzImage"
	fi
	[ -f "$BENCH_KERNEL/bzImage" ] || die "no kernel in $BENCH_KERNEL"
	export BENCH_KERNEL
	batch_module
}

# The module that sends as sendmmsg() does, with transmit batching around it. A
# kernel that was built elsewhere has it beside it, or the way is not possible.
batch_module() {
	local module=$BENCH_KERNEL/sendmmsg_batch.ko
	if [ -f "$BENCH_KERNEL/Makefile" ]; then
		rm -rf "$OUT/kernel"
		cp -r "$BENCH/kernel" "$OUT/kernel"
		quiet "$OUT/kernel.log" "building sendmmsg_batch.ko" \
			make -C "$BENCH_KERNEL" M="$OUT/kernel" CC="ccache gcc" modules
		cp "$OUT/kernel/sendmmsg_batch.ko" "$module"
	fi
	BATCH_FILES=()
	[ ! -f "$module" ] || BATCH_FILES=("$module=/sendmmsg_batch.ko")
}

# The same kernel without group unicast; BENCH_PLAIN is one that is there.
plain_kernel() {
	local bzimage
	if [ -z "${BENCH_PLAIN:-}" ]; then
		bzimage=$("$REPO/kernel/scripts/build.sh" bench+plain | tail -n 1)
		BENCH_PLAIN=${bzimage%/arch/*}
		ln -sf arch/x86/boot/bzImage "$BENCH_PLAIN/bzImage"
	fi
	[ -f "$BENCH_PLAIN/bzImage" ] || die "no kernel in $BENCH_PLAIN"
	echo "$BENCH_PLAIN"
}

bench_programs() { make -s -C "$BENCH" OUT="$OUT" experiments; }

# bench_initramfs NAME GUEST-SCRIPT
bench_initramfs() {
	"$REPO/tests/qemu/initramfs.sh" "$OUT/$1.gz" "$BENCH_KERNEL" "$BENCH/$2" \
		"$BENCH/guest-net.sh=/net.sh" "$OUT/measure=/bin/measure" "$OUT/count=/bin/count" \
		"$OUT/table=/bin/table" "$OUT/interface=/bin/interface" "${BATCH_FILES[@]}"
}

# boot_counted NAME GUEST-SCRIPT [QEMU-OPTION...]: the guest's clock counts
# instructions. boot_timed: it tells the time.
boot_counted() {
	local name=$1
	bench_initramfs "$1" "$2"
	shift 2
	"$BENCH/boot.sh" "$BENCH_KERNEL/bzImage" "$OUT/$name.gz" "$OUT/$name.out" "$@"
}
boot_timed() {
	local name=$1
	bench_initramfs "$1" "$2"
	shift 2
	CPU=max,-erms,-fsrm "$REPO/tests/qemu/boot.sh" "$BENCH_KERNEL/bzImage" \
		"$OUT/$name.gz" "$OUT/$name.out" 900 -smp 1 "$@"
}

# The paper's card and a paravirtual one. Nothing is behind them: QEMU throws
# away what they send, which costs it least.
# shellcheck disable=SC2034,SC2054
CARDS=(-device e1000,romfile= -device virtio-net-pci,romfile=,ioeventfd=off)
