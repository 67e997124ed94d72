#!/usr/bin/env bash
# Runs the conformance tests and nothing else in the guest: run.sh [FILTER]
# FILTER is GoogleTest's. CONFORMANCE_KERNEL names a directory with another
# kernel's bzImage and the modules' root/; otherwise it is that of `make test`.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

out=$REPO/build/conformance
need build-essential ccache libgtest-dev
cached_compilers

mkdir -p "$out"
if [ -n "${CONFORMANCE_KERNEL:-}" ]; then
	obj=$CONFORMANCE_KERNEL
	bzimage=$obj/bzImage
else
	bzimage=$("$REPO/kernel/scripts/build.sh" debug | tail -n 1)
	obj=${bzimage%/arch/*}
fi
quiet "$out/build.log" "building the conformance tests" \
	make -C "$REPO/tests/conformance" OUT="$out" -j"$JOBS"
echo "${1:-*}" >"$out/filter"
"$REPO/tests/qemu/initramfs.sh" "$out/guest.gz" "$obj" "$REPO/tests/conformance/guest.sh" \
	"$out/conformance_test=/tests/conformance_test" "$out/filter=/filter"
rc=0
"$REPO/tests/qemu/boot.sh" "$bzimage" "$out/guest.gz" "$out/guest" 900 -smp 2 || rc=1
"$REPO/tests/qemu/verdict.py" "$TREE" conformance_test.xml,guest.ok "$out/guest/results" || rc=1
exit $rc
