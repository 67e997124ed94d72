#!/usr/bin/env bash
# What `make test-long` does: races and faults for long, on the debug kernel and on
# one that looks for data races; then what others wait for beside a send to as many
# members as there can be: run.sh [SECONDS [TIMES [SEED]]]
# SECONDS is how long the torture lasts on either, TIMES how often each change of
# the world strikes meanwhile. KERNELS names those to run on, "debug kcsan" if it is
# not set. Prints the figures, then "N passed, N failed".
. "$(dirname "$0")/../../kernel/scripts/common.sh"

duration=${1:-1800} times=${2:-1000} seed=${3:-1}
read -ra kernels <<<"${KERNELS:-debug kcsan}"
out=$REPO/build/test-long
need build-essential ccache libgtest-dev liburing-dev
cached_compilers

rm -rf "$out"
mkdir -p "$out"
quiet "$out/build.log" "building the torture" \
	make -C "$REPO/tests/torture" OUT="$REPO/build/torture" -j"$JOBS"
quiet "$out/build-fairness.log" "building what waits beside a large group" \
	make -C "$REPO/tests/selftests" OUT="$REPO/build/selftests" \
	"$REPO/build/selftests/fairness_test"

rc=0
expected=fairness_test.xml,fairness.ok,
results=("$out/fairness/results")
logs=()

# Of the kernel's own races only ours count, which races.py finds; faults are
# injected on the debug kernel alone.
for config in "${kernels[@]}"; do
	bzimage=$("$REPO/kernel/scripts/build.sh" "$config" | tail -n 1)
	programs=() tolerate=
	for t in "$REPO"/tests/torture/*_test.cpp; do
		name=$(basename "$t" .cpp)
		if [ "$config" = kcsan ]; then
			tolerate='BUG: KCSAN:'
			[ "$name" != faults_test ] || continue
		fi
		programs+=("$REPO/build/torture/$name=/tests/$config-$name")
		expected+=$config-$name.xml,
	done
	"$REPO/tests/qemu/initramfs.sh" "$out/$config.gz" "${bzimage%/arch/*}" \
		"$REPO/tests/qemu/guest-test.sh" "${programs[@]}"
	# a CPU that goes and comes again takes seconds on a busy machine
	TOLERATE=$tolerate APPEND="TORTURE_SECONDS=$duration TORTURE_TIMES=$times \
		TORTURE_SEED=$seed TORTURE_SNAPSHOT_SECONDS=20 TORTURE_FAULT_STEP=1" \
		"$REPO/tests/qemu/boot.sh" "$bzimage" "$out/$config.gz" "$out/$config" \
		$((3 * duration + 6 * times + 3600)) -smp 2 || rc=1
	expected+=$config.ok,
	results+=("$out/$config/results")
	logs+=("$out/$config/results/"*.log)
done

# By the clock, so on the kernel of the demonstration, where a member costs what it does
# on an ordinary one.
bzimage=$("$REPO/kernel/scripts/build.sh" demo | tail -n 1)
"$REPO/tests/qemu/initramfs.sh" "$out/fairness.gz" "${bzimage%/arch/*}" \
	"$REPO/tests/qemu/guest-test.sh" "$REPO/build/selftests/fairness_test=/tests/fairness_test"
APPEND=FAIRNESS_MEMBERS=65536 \
	"$REPO/tests/qemu/boot.sh" "$bzimage" "$out/fairness.gz" "$out/fairness" 900 -smp 2 || rc=1

if [ -e "$out/kcsan/console.log" ]; then
	"$REPO/tests/torture/races.py" "$out/kcsan/console.log" || rc=1
fi
grep -E ' beside .*: waited ' "$out/fairness/results/fairness_test.log" || true
"$REPO/tests/torture/figures.py" "${logs[@]}"
"$REPO/tests/qemu/verdict.py" "$TREE" "$expected" "${results[@]}" || rc=1
exit $rc
