#!/usr/bin/env bash
# Runs a User-Mode Linux and brings back what the guest leaves in /results:
# boot.sh LINUX INITRAMFS OUTDIR SECONDS
# The guest is the one of tests/qemu/init.sh, and its verdict counts as there:
# if it is complete, the guest's script ended with 0, and the kernel is not
# tainted, as it is by a warning.
. "$(dirname "$0")/../../../kernel/scripts/common.sh"

linux=$1 initramfs=$2 out=$3 limit=$4

rm -rf "$out"
mkdir -p "$out/results" "$out/uml"

# Ahead of everything else on the machine where that is allowed: what others do
# would be in the figures.
first=(chrt -r 1)
if ! "${first[@]}" true 2>/dev/null; then
	say "no real-time priority: what else runs will disturb the measurement"
	first=()
fi

# The second serial line is a file.
exec 8>"$out/results.tar"
quiet "$out/console.log" "running User-Mode Linux, at most $limit s" \
	timeout --foreground "$limit" "${first[@]}" "$linux" "uml_dir=$out/uml" \
	mem="${MEMORY:-1536M}" con0=null,fd:1 con=null ssl=null ssl1=null,fd:8 \
	"initrd=$initramfs" panic=-1 net.ifnames=0
exec 8>&-

if ! tar -C "$out/results" -xf "$out/results.tar" 2>"$out/tar.log" ||
	[ ! -e "$out/results/complete" ]; then
	tail -n 40 "$out/console.log" >&2
	die "the guest ended without a verdict, see $out/console.log"
fi
tainted=$(cat "$out/results/tainted") rc=$(cat "$out/results/exit")
[ "$tainted" = 0 ] || die "the kernel complained (taint $tainted), see $out/console.log"
[ "$rc" = 0 ] || { tail -n 30 "$out/console.log" >&2; die "the guest's script ended with $rc"; }
