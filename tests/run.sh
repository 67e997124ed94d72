#!/usr/bin/env bash
# What `make test` does: the library on the host, then everything else in guests
# with a kernel that notices mistakes.
. "$(dirname "$0")/../kernel/scripts/common.sh"

out=$REPO/build/test
self=$REPO/build/selftests
conf=$REPO/build/conformance
lib=$REPO/build/library
fuzz=$REPO/build/fuzz
tort=$REPO/build/torture
need build-essential ccache libgtest-dev pkg-config liburing-dev libbpf-dev iproute2 \
	clang-14 libclang-rt-14-dev

rm -rf "$out"
mkdir -p "$out/host"

bzimage=$("$REPO/kernel/scripts/build.sh" debug | tail -n 1)
obj=${bzimage%/arch/*}
cached_compilers

quiet "$out/selftests.log" "building the selftests" \
	make -C "$REPO/tests/selftests" OUT="$self" -j"$JOBS"
quiet "$out/conformance.log" "building the conformance tests" \
	make -C "$REPO/tests/conformance" OUT="$conf" -j"$JOBS"
quiet "$out/torture.log" "building races and faults" \
	make -C "$REPO/tests/torture" OUT="$tort" -j"$JOBS"
quiet "$out/fuzz.log" "building the fuzzers" sh -ec '
	make -C "$1" OUT="$2" -j"$3"
	make -C "$1/library" OUT="$2-library" -j"$3"' sh "$REPO/tests/fuzz" "$fuzz" "$JOBS"
quiet "$out/library.log" "building the library and its tests" \
	make -C "$REPO/tests/library" OUT="$lib" -j"$JOBS"
quiet "$out/library-san.log" "building them with sanitizers" \
	make -C "$REPO/tests/library" OUT="$lib-san" SANITIZE=1 -j"$JOBS"

expected=udp_group_addr.ktap,udp_group_version.ktap,udp_group_uapi.ktap,udp_group_socket.ktap,udp_group_fast.ktap
expected+=,udp_group_fast6.ktap,udp_group_mixed.ktap,udp_group_batch.ktap
expected+=,outside-udp_group_addr.ktap,outside-udp_group_version.ktap,outside-udp_group_uapi.ktap,outside-udp_group_socket.ktap
expected+=,outside-udp_group_fast.ktap,outside-udp_group_fast6.ktap,outside-udp_group_mixed.ktap
expected+=,outside-udp_group_batch.ktap
expected+=,kunit.ok,guest.ok,conformance.ok,smack.ok
rc=0

# The library without kernel support, as it is on most hosts.
for kind in library library-san; do
	dir=$REPO/build/$kind
	(GROUPCAST_BACKEND=sendmmsg GTEST_OUTPUT="xml:$out/host/host-$kind.xml" \
		quiet "$out/host-$kind.log" "library tests on the host ($kind, sendmmsg)" \
		"$dir/library_test") || rc=1
	expected+=,host-$kind.xml
done

# Calls of the library that nobody wrote; the corpus is a new one each time.
mkdir -p "$out/host-fuzz"
(quiet "$out/host-fuzz.log" "fuzzing the library on the host" \
	"$fuzz-library/calls" -max_total_time=30 -max_len=512 -len_control=0 -seed=1 \
	-artifact_prefix="$out/host-fuzz-" "$out/host-fuzz" && : >"$out/host/host-fuzz.ok") || rc=1
expected+=,host-fuzz.ok

# The same tests in the guest, against either backend.
for backend in kernel sendmmsg; do
	printf '#!/bin/sh\nGROUPCAST_BACKEND=%s exec /lib/groupcast/library_test "$@"\n' \
		"$backend" >"$out/library-$backend"
	chmod +x "$out/library-$backend"
	expected+=,library-$backend.xml
done

# Programs built as a user builds them: against what is installed.
quiet "$out/install.log" "installing the library and building programs against it" \
	"$REPO/tests/programs.sh" "$out/programs" "$obj"

programs=("$out/programs/paper=/bin/paper" "$out/programs/hello=/bin/hello"
	"$lib/library_test=/lib/groupcast/library_test"
	"$lib/chat=/lib/groupcast/chat" "$lib/media=/lib/groupcast/media"
	"$out/library-kernel=/tests/library-kernel"
	"$out/library-sendmmsg=/tests/library-sendmmsg")
for t in "$REPO"/tests/selftests/*_test.cpp; do
	name=$(basename "$t" .cpp)
	expected+=,$name.xml
	[ "$name" != smack_test ] || continue # see below
	programs+=("$self/$name=/tests/$name")
done

programs+=("$fuzz/fuzz_test=/tests/fuzz_test")
expected+=,conformance_test.xml,fuzz_test.xml
for f in "$REPO"/tests/fuzz/corpus/*; do
	[ ! -f "$f" ] || programs+=("$f=/corpus/$(basename "$f")")
done

# Every fourth fault, and races for seconds; `make test-long` has each, for long.
for name in faults_test snapshot_test torture_test; do
	programs+=("$tort/$name=/tests/$name")
	expected+=,$name.xml
done

# The module as it is built outside the tree, to be loaded by the first guest.
oot=$("$REPO/kernel/scripts/module.sh" "$obj" | tail -n 1)

# A guest that fails is reported by boot.sh; what it left is counted anyway.
"$REPO/tests/qemu/initramfs.sh" "$out/kunit.gz" "$obj" "$REPO/tests/qemu/guest-kunit.sh" \
	"$oot=/udp_group.ko" "$out/programs/paper=/bin/paper"
APPEND=kunit.enable=1 \
	"$REPO/tests/qemu/boot.sh" "$bzimage" "$out/kunit.gz" "$out/kunit" 900 -smp 2 || rc=1

# Two guests at once: most tests have something to do for one processor at a time,
# and the conformance tests last as long as all others.
"$REPO/tests/qemu/initramfs.sh" "$out/conformance.gz" "$obj" \
	"$REPO/tests/qemu/guest-test.sh" "$conf/conformance_test=/tests/conformance_test"
"$REPO/tests/qemu/initramfs.sh" "$out/guest.gz" "$obj" \
	"$REPO/tests/qemu/guest-test.sh" "${programs[@]}"
"$REPO/tests/qemu/boot.sh" "$bzimage" "$out/conformance.gz" "$out/conformance" 3900 -smp 2 &
conformance=$!
	"$REPO/tests/qemu/boot.sh" "$bzimage" "$out/guest.gz" "$out/guest" 3900 -smp 2 || rc=1
wait "$conformance" || rc=1

# Smack refuses to an AF_INET6 socket what others allow, so it is there for nobody
# else.
"$REPO/tests/qemu/initramfs.sh" "$out/smack.gz" "$obj" \
	"$REPO/tests/qemu/guest-test.sh" "$self/smack_test=/tests/smack_test"
APPEND=lsm=smack \
	"$REPO/tests/qemu/boot.sh" "$bzimage" "$out/smack.gz" "$out/smack" 600 -smp 2 || rc=1

# Which lines of the kernel's part the guests have run. `make coverage` says more, and
# fails if these are too few.
"$REPO/tests/coverage/report.py" "$obj" "$out/coverage.txt" "$out"/{kunit,guest,conformance,smack}/results/gcov |
	sed -n '/  all$/s/^/lines, run, %: /p' || true
cat "$out/guest/results/fuzz.txt" || true
"$REPO/tests/torture/figures.py" "$out"/guest/results/*.log || true
"$REPO/tests/qemu/verdict.py" "$TREE" "$expected" \
	"$out/host" "$out"/{kunit,guest,conformance,smack}/results || rc=1
exit $rc
