#!/usr/bin/env bash
# The kernel's own selftests of what touches UDP sockets, on a kernel with the
# patches and on the same kernel without: the results must be the same. `tests` is
# the list. Leaves build/upstream/report.txt.
#
# A test whose results differ is run again on both, twice at most: what neither
# kernel has in common with the other in any round is the patches' doing.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

here=$REPO/tests/upstream
out=$REPO/build/upstream
files=$CACHE/build/$KVER-selftests
need clang-14 llvm-14 libelf-dev libcap-dev libnuma-dev libssl-dev zlib1g-dev python3 \
	bash coreutils grep sed mawk findutils procps util-linux bc jq ethtool iputils-ping \
	iptables netcat-openbsd socat tcpdump traceroute iproute2

declare -A obj image
for kernel in upstream upstream+plain; do
	image[$kernel]=$("$REPO/kernel/scripts/build.sh" "$kernel" | tail -n 1)
	obj[$kernel]=${image[$kernel]%/arch/*}
done

# The sources are the unpatched kernel's, and so are the headers. Not every program
# is good with every library of Debian's, so make goes on; that all of the list is
# there is seen below. (reuseport_bpf_numa.c wants a stdbool.h that nobody includes.)
tests=$PRISTINE/tools/testing/selftests/net
mkdir -p "$out" "$files"
quiet "$out/build.log" "building the kernel's own selftests" \
	sh -c 'make -k "$@" || true' sh -C "$tests" -j"$JOBS" OUTPUT="$files" CLANG=clang-14 YNL_GEN_FILES= \
	KHDR_INCLUDES="-isystem ${obj[upstream+plain]}/usr/include -include stdbool.h" all

# What the scripts call, which is more than busybox has.
board=("$(command -v bash)=/bin/bash")
for p in bash grep sed mawk date sleep timeout nohup stat seq sort head tail cut tr cat od mktemp \
	readlink realpath find xargs sysctl pgrep pkill ps taskset unshare nsenter bc jq ethtool \
	ping ping6 iptables ip6tables modinfo modprobe nc socat tcpdump traceroute traceroute6 ss bridge nstat; do
	path=$(PATH=/usr/sbin:/sbin:/usr/bin:/bin command -v "$p") || die "no $p here"
	board+=("$path=/usr/local/bin/$p")
done
for f in /usr/lib/*/xtables/*.so; do
	board+=("$f=$f")
done
while read -r f; do
	board+=("$f=/selftests/${f##*/}")
done < <(find "$files" -maxdepth 1 -type f -executable
	find "$files" -maxdepth 1 -name '*.bpf.o'
	find "$tests" -maxdepth 1 -name '*.sh' -o -maxdepth 1 -name 'run_*')

# run LIST ROUND: the tests in that file, on both kernels at the same time. Most
# tests wait a second here and there for something that takes less on a machine with
# nothing else to do. With -icount the guest's time is what it has executed: how busy
# this machine is matters less, and waiting takes no time.
run() {
	local kernel pids=() rc=0
	for kernel in upstream upstream+plain; do
		"$REPO/tests/qemu/initramfs.sh" "$out/$kernel.gz" "${obj[$kernel]}" "$here/guest.sh" \
			"${board[@]}" "$1=/selftests/tests"
		MEMORY=3G "$REPO/tests/qemu/boot.sh" "${image[$kernel]}" "$out/$kernel.gz" \
			"$out/$kernel.$2" 5400 -smp 2 -icount shift=2,sleep=off &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || rc=1
	done
	return $rc
}

rm -rf "$out"/upstream*.[123]
grep -v '^#' "$here/tests" >"$out/tests"
cut -d' ' -f1 "$out/tests" | while read -r name; do
	[ -e "$files/$name" ] || [ -e "$tests/$name" ] || die "$name was not built, see $out/build.log"
done
rounds=()
cp "$out/tests" "$out/again"
for round in 1 2 3; do
	[ "$round" = 1 ] || say "differ, once more: $(paste -sd, "$out/again")"
	run "$out/again" "$round"
	rounds+=("$round")
	rc=0
	"$here/compare.py" "$out" "${rounds[@]}" >"$out/report.txt" || rc=$?
	[ "$rc" = 1 ] || break
done
cat "$out/report.txt"
exit "$rc"
