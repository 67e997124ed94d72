#!/usr/bin/env bash
# Boots a kernel in QEMU and brings back what the guest leaves in /results:
# boot.sh BZIMAGE INITRAMFS OUTDIR SECONDS [QEMU-OPTION...]
# APPEND is added to the kernel's command line, ACCEL is QEMU's accelerator. Lines
# that match TOLERATE are no complaint.
#
# The verdict comes through the second serial port as files. It counts only if
# it is complete, the guest's script ended with 0, and the kernel had nothing
# to complain of.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

bzimage=$1 initramfs=$2 out=$3 limit=$4
shift 4
need qemu-system-x86

rm -rf "$out"
mkdir -p "$out/results"

# TCG unless told otherwise: that a /dev/kvm can be opened does not mean that
# it can run a kernel.
# The kernel counts ticks to see whether its timer works, and on a loaded machine
# sees none: no_timer_check.
WATCH=$out/console.log quiet "$out/qemu.log" "booting $(basename "${bzimage%/arch/*}") in QEMU, at most $limit s" \
	timeout --foreground "$limit" qemu-system-x86_64 \
	-nodefaults -no-user-config -display none -no-reboot \
	-accel "${ACCEL:-tcg}" -cpu "${CPU:-max}" -m "${MEMORY:-1536M}" \
	-serial "file:$out/console.log" -serial "file:$out/results.tar" \
	-kernel "$bzimage" -initrd "$initramfs" \
	-append "console=ttyS0 panic=-1 no_timer_check net.ifnames=0 ${APPEND:-}" "$@"

if ! tar -C "$out/results" -xf "$out/results.tar" 2>"$out/tar.log" ||
	[ ! -e "$out/results/complete" ]; then
	tail -n 40 "$out/console.log" >&2
	die "the guest ended without a verdict, see $out/console.log"
fi

# (A ref_tracker that got no "memory", as faults may have it, still counts.)
if grep -E -n 'WARNING:|BUG:|UBSAN:|Oops|Kernel panic|possible .* detected|suspicious RCU|INFO: (task|rcu)|unreferenced object|refcount_t:|unregister_netdevice: waiting|ref_tracker: [^m]|leaked reference|ODEBUG|kmemleak: [1-9]' \
	"$out/console.log" "$out/results/dmesg" |
	grep -v -E -- "${TOLERATE:-^$}" >"$out/splats"; then
	cat "$out/splats" >&2
	die "the kernel complained, see $out/console.log"
fi

rc=$(cat "$out/results/exit")
[ "$rc" = 0 ] || { tail -n 30 "$out/console.log" >&2; die "the guest's script ended with $rc"; }

# Said as a result of its own: the guest came to its end without a complaint.
: >"$out/results/$(basename "$out").ok"
