#!/usr/bin/env bash
# What `make fuzz` does: run.sh [SECONDS]
# The interface in the guest for so long, then the library on the host for a
# quarter of that. What comes to new places is kept in the cache, and is where
# the next run begins. SEED= is another way to go on from there; FUZZ_KERNEL=
# another kernel's build directory.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

seconds=${1:-600}
seed=${SEED:-$(date +%s)}
out=$REPO/build/fuzz-long
kept=$CACHE/fuzz
need build-essential ccache libgtest-dev liburing-dev clang-14 libclang-rt-14-dev
cached_compilers

rm -rf "$out"
mkdir -p "$out" "$kept/kernel" "$kept/library"
obj=${FUZZ_KERNEL:-}
if [ -z "$obj" ]; then
	bzimage=$("$REPO/kernel/scripts/build.sh" debug | tail -n 1)
	obj=${bzimage%/arch/*}
fi
quiet "$out/build.log" "building the fuzzers" sh -ec '
	make -C "$1" OUT="$2" -j"$3"
	make -C "$1/library" OUT="$2-library" -j"$3"' sh "$REPO/tests/fuzz" "$REPO/build/fuzz" "$JOBS"

echo "$seconds $seed" >"$out/plan"
files=("$REPO/build/fuzz/fuzz=/bin/fuzz" "$out/plan=/plan")
for f in "$REPO"/tests/fuzz/corpus/* "$kept"/kernel/*; do
	[ ! -f "$f" ] || files+=("$f=/corpus/$(basename "$f")")
done
rc=0
"$REPO/tests/qemu/initramfs.sh" "$out/guest.gz" "$obj" "$REPO/tests/fuzz/guest.sh" "${files[@]}"
"$REPO/tests/qemu/boot.sh" "$obj/arch/x86/boot/bzImage" "$out/guest.gz" "$out/guest" \
	$((seconds + 300)) -smp 2 || rc=1
cp "$out"/guest/results/corpus/* "$kept/kernel/" 2>/dev/null || true
cat "$out/guest/results/fuzz.txt" || rc=1

# How many places there are: what is instrumented calls this at each
places=$({
	objdump -dr "$obj/net/ipv4/udp_group.ko" "$obj/net/core/xmit_batch.o" \
		"$obj/net/ipv4/udp_group_hooks.o"
} | grep -c '__sanitizer_cov_trace_pc' || true)
echo "of $places places in all; corpus in $kept/kernel: $(find "$kept/kernel" -type f | wc -l)"

(quiet "$out/library.log" "fuzzing the library" "$REPO/build/fuzz-library/calls" \
	-max_total_time=$((seconds / 4)) -max_len=512 -len_control=0 -seed="$seed" \
	-print_final_stats=1 -artifact_prefix="$out/library-" "$kept/library") || rc=1
grep -E 'DONE|stat::(number_of_executed|average_exec)' "$out/library.log" || rc=1
exit $rc
