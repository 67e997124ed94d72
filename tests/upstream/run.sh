#!/usr/bin/env bash
# The kernel's own selftests on a kernel with the series and on one without,
# otherwise alike: run.sh [TEST...]
# Each must have the same result on both. What was run on neither is said aloud
# and is no success.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

here=$REPO/tests/upstream
out=$REPO/build/upstream
need build-essential clang libcap-dev libelf-dev zlib1g-dev bash coreutils grep sed gawk \
	ethtool tcpdump procps iputils-ping util-linux python3

plain=$("$REPO/kernel/scripts/build.sh" upstream+plain | tail -n 1)
patched=$("$REPO/kernel/scripts/build.sh" upstream | tail -n 1)

rm -rf "$out"
mkdir -p "$out/bin"
if (($#)); then
	for t; do grep -E "^$t(\$|[[:space:]])" "$here/tests.txt" || die "no such test: $t"; done
else
	grep -v '^#' "$here/tests.txt"
fi >"$out/tests"

# Built as the kernel builds them, with its Makefile and the headers of the
# kernel without the series; the same programs run on both.
net=$PRISTINE/tools/testing/selftests/net
mapfile -t targets < <(awk '{ for (i = $1 ~ /\.sh$/ ? 2 : 1; i <= NF; i++) print $i }' \
	"$out/tests" | sort -u)
quiet "$out/build.log" "building the kernel's selftests" \
	make -C "$net" OUTPUT="$out/bin" KHDR_INCLUDES="-isystem ${plain%/arch/*}/usr/include" \
	"${targets[@]/#/$out/bin/}"

files=("$out/tests=/net/tests")
for t in "${targets[@]}"; do files+=("$out/bin/$t=/net/$t"); done
for t in "$net"/*.sh "$net"/config "$net"/settings; do files+=("$t=/net/${t##*/}"); done
for t in "$net"/../kselftest/*.sh; do files+=("$t=/kselftest/${t##*/}"); done
# busybox has most of these, but not with all that the scripts ask of them
for p in bash basename cat cut date dirname env head id mktemp mkdir od rm seq sleep sort \
	stat tail timeout tr uname wc; do
	files+=("$(command -v "$p")=/usr/bin/$p")
done
files+=("$(command -v bash)=/bin/bash" "$(command -v gawk)=/usr/bin/awk"
	"$(command -v ss)=/usr/bin/ss" "$(command -v taskset)=/usr/bin/taskset")
for p in grep sed ping sysctl ethtool tcpdump; do
	files+=("$(command -v "$p")=/usr/bin/$p")
done

rc=0
for kernel in plain patched; do
	bzimage=$plain
	[ $kernel = plain ] || bzimage=$patched
	"$REPO/tests/qemu/initramfs.sh" "$out/$kernel.gz" "${bzimage%/arch/*}" \
		"$here/guest.sh" "${files[@]}"
	"$REPO/tests/qemu/boot.sh" "$bzimage" "$out/$kernel.gz" "$out/$kernel" 3000 -smp 2 || rc=1
done
"$here/compare.py" "$out/tests" "$out/plain/results" "$out/patched/results" || rc=1
exit $rc
