#!/usr/bin/env bash
# Profiles of the ways of sending, counted by a plugin of QEMU:
#
#   run.sh functions WAY[,WAY...] MEMBERS BYTES [TOP]
#       the kernel's functions by the instructions that they take a member
#
# BENCH_KERNEL=DIR takes the bzImage, System.map and root/ there in place of the
# bench kernel.
. "$(dirname "$0")/../../../kernel/scripts/common.sh"

here=$REPO/tests/bench/profile
out=$REPO/build/bench/profile
need build-essential python3 qemu-system-x86

usage() { sed -n '2,/^$/ { /^#/!q; s/^# \{0,1\}//; p }' "$0" >&2; exit 2; }

# The kernel: $kernel has System.map and root/ for its modules.
if [ -n "${BENCH_KERNEL:-}" ]; then
	kernel=$BENCH_KERNEL bzimage=$BENCH_KERNEL/bzImage
else
	bzimage=$("$REPO/kernel/scripts/build.sh" bench | tail -n 1)
	kernel=${bzimage%/arch/*}
fi

mkdir -p "$out"
make -s -C "$here" OUT="$out"

# boot NAME PLAN PLUGIN-OPTIONS: runs the plan, its results in $out/NAME.
# One CPU has Linux replace its LOCK prefixes, which are to be counted.
boot() {
	local dir=$out/$1
	rm -rf "$dir.windows"
	mkdir -p "$dir.windows"
	printf '%s\n' "$2" >"$dir.plan"
	"$REPO/tests/qemu/initramfs.sh" "$dir.gz" "$kernel" "$here/guest.sh" \
		"$out/slice=/bin/slice" "$dir.plan=/plan"
	CPU=max,-erms,-fsrm APPEND=noreplace-smp \
		"$REPO/tests/qemu/boot.sh" "$bzimage" "$dir.gz" "$dir" 1800 \
		-smp 1 -icount shift=0,sleep=off -plugin "$out/profile.so,out=$dir.windows$3"
	mv "$dir.windows" "$dir/windows"
}

case ${1:-} in
functions)
	[ $# -ge 4 ] || usage
	boot functions "10.64.0.2 $3 $4 5 20 0 ${2//,/ }" ""
	python3 "$here/profile.py" functions "$kernel/System.map" "$out/functions" "${5:-60}"
	;;
*) usage ;;
esac
