#!/usr/bin/env bash
# What reviewers run: check.sh fast|all
# fast: checkpatch --strict on every patch, kernel-doc, clang-format,
#       manual pages, and shellcheck. all: also a build at every patch, sparse, W=1, the module
#       outside the tree, clang-tidy.
# The last line is "N passed, N failed".
. "$(dirname "$0")/common.sh"

what=${1:-fast}
out=$REPO/build/check
patches=$REPO/build/patches/$KVER
passed=0 failed=0

need_for_kernel
need clang-format clang-tidy shellcheck sparse codespell libgtest-dev groff-base \
	liburing-dev libxdp-dev libbpf-dev
mkdir -p "$out"

# check NAME COMMAND...: passes if the command succeeds and says nothing bad.
check() {
	local name=$1 log
	shift
	log=$out/$(tr ' /' '__' <<<"$name").log
	if "$@" >"$log" 2>&1; then
		say "passed: $name"
		passed=$((passed + 1))
	else
		say "FAILED: $name"
		tail -n 30 "$log" >&2
		failed=$((failed + 1))
	fi
}

lock_cache
"$REPO/kernel/scripts/tree.sh"
"$REPO/kernel/scripts/series.sh" "$patches"

dictionary=$(dpkg -L codespell | grep '/dictionary.txt$')
# checkpatch needs the whole tree, for its own data and to look files up. The
# entry in MAINTAINERS comes with the last patch, so it is not asked for
# before; and source "net/ipv4/Kconfig.udp_group" in net/ipv4/Kconfig is not a
# file that names itself. Errors, warnings and checks all count.
for p in "$patches"/*.patch; do
	check "checkpatch ${p##*/}" env -C "$TREE" "$TREE/scripts/checkpatch.pl" --root="$TREE" \
		--strict --codespell --codespellfile="$dictionary" --no-summary --terse \
		--ignore FILE_PATH_CHANGES,EMBEDDED_FILENAME --max-line-length=80 "$p"
done

mapfile -t kfiles < <(cd "$REPO" && git ls-files 'net/ipv4/*.[ch]' 'include/*.h')
check "kernel-doc" sh -c '
	cd "$1"; shift
	out=$("$TREE/scripts/kernel-doc" -none -Wall "$@" 2>&1)
	echo "$out"
	! echo "$out" | grep -q warning' sh "$REPO" "${kfiles[@]}"

mapfile -t cxx < <(cd "$REPO" && git ls-files 'userspace/*.[ch]' 'userspace/*.[ch]pp' 'tests/*.[ch]' 'tests/*.[ch]pp' |
	grep -v '^tests/bench/kernel/')
check "clang-format" sh -c 'cd "$1"; shift; clang-format --dry-run -Werror "$@"' \
	sh "$REPO" "${cxx[@]}"

mapfile -t scripts < <(cd "$REPO" && git ls-files '*.sh' '.ci/run')
check "shellcheck" sh -c 'cd "$1"; shift; shellcheck -x -s bash -e SC1091,SC2016,SC2119 "$@"' \
	sh "$REPO" "${scripts[@]}"

# A page that is another by .so finds it in man3
ln -sfn "$REPO/userspace/man" "$out/man3"
check "manual pages" sh -c '
	cd "$1" && for page in man3/*.[1-9]; do
		groff -t -man -ww -Tutf8 "$page" 2>&1 >/dev/null | sed "s,^,$page: ,"
	done | { ! grep .; }' sh "$out"
check "errors in udp_group.rst and udp_group.7" "$REPO/kernel/scripts/errnos.py" \
	"$REPO/kernel/Documentation/networking/udp_group.rst" "$REPO/userspace/man/udp_group.7"

# The README shows the example that the tests compile and run.
check "the example in README.md" sh -c '
	cd "$1" && awk "/^\`\`\`\$/ { in_example = 0 } in_example; /^\`\`\`cpp\$/ { in_example = 1 }" README.md |
		diff - userspace/examples/hello.cpp' sh "$REPO"

if [ "$what" = all ]; then
	obj=$CACHE/build/$KVER-check
	mkdir -p "$obj"
	kmake() { make -C "$TREE" O="$obj" CC="ccache gcc" -j"$JOBS" "$@"; }

	# At every patch: the tree as that patch leaves it, first without groups,
	# then with as much of them as there is by then.
	series=$CACHE/series-$KVER
	final=$(git -C "$series" rev-parse HEAD)
	n=0
	for commit in $(git -C "$series" rev-list --reverse base..HEAD); do
		n=$((n + 1))
		git -C "$series" checkout -q "$commit"
		while read -r file; do
			if [ -e "$series/$file" ]; then
				cmp -s "$series/$file" "$TREE/$file" || install -D -m 644 "$series/$file" "$TREE/$file.new"
				[ ! -e "$TREE/$file.new" ] || mv "$TREE/$file.new" "$TREE/$file"
			else
				rm -f "$TREE/$file"
			fi
		done <"$TREE.patched"
		for groups in n y m; do
			{
				cat "$REPO/kernel/configs/base.config"
				echo "CONFIG_UDP_GROUP=$groups"
				if [ "$groups" = n ]; then echo CONFIG_UDP_GROUP_HOOKS=n; fi
			} >"$obj/wanted.config"
			kmake -s KCONFIG_ALLCONFIG="$obj/wanted.config" allnoconfig >"$out/config.log" 2>&1 ||
				die "configuration failed"
			check "build at patch $n with UDP_GROUP=$groups" sh -c '
				make -C "$TREE" O="$1" CC="ccache gcc" -j"$JOBS" W=1 KCFLAGS=-Werror \
					net/core/ net/ipv4/ net/ipv6/' sh "$obj"
		done
	done
	git -C "$series" checkout -q "$final"
	"$REPO/kernel/scripts/tree.sh"

	touched=(net/core/sock.o net/ipv4/udp.o net/ipv4/udp_bpf.o net/ipv4/ip_sockglue.o
		net/ipv4/udp_group_hooks.o net/core/xmit_batch.o)
	for f in "$REPO"/net/ipv4/udp_group_*.c; do
		case $f in *_hooks.c | *_kunit.c) ;; *) touched+=("net/ipv4/$(basename "$f" .c).o") ;; esac
	done
	rm -f "${touched[@]/#/$obj/}"
	# What was there before has warnings of its own; new files have none.
	kmake -k C=1 CHECK=sparse W=1 "${touched[@]}" >"$out/sparse.log" 2>&1 || true
	# A lock that is taken only if there is contention is beyond sparse, here
	# as in __dev_xmit_skb(), which it is modelled on.
	sed -i "/context imbalance in 'xmit_batch_run_\(nolock\|locked\)'/d" "$out/sparse.log"
	for f in "${touched[@]}"; do
		case $f in */udp_group_* | */xmit_batch.o) ;; *) continue ;; esac
		check "sparse and W=1 on ${f##*/}" sh -c '
			grep "CHECK .*$1" "$2" && ! grep -E "$1:[0-9]+:.*(warning|error)" "$2"' \
			sh "$(basename "$f" .o).c" "$out/sparse.log"
	done
	check "sparse and W=1 on the headers" sh -c '
		! grep -E "(udp_group(_[a-z]+)?|xmit_batch)\.h:[0-9]+:.*(warning|error)" "$1"' sh "$out/sparse.log"

	"$REPO/kernel/scripts/build.sh" demo
	check "the module outside the tree" "$REPO/kernel/scripts/module.sh" "$CACHE/build/$KVER-demo"

	mapfile -t tidy < <(cd "$REPO" && git ls-files 'userspace/*.cpp' 'tests/*.cpp')
	rm -rf "$out/tidy"
	printf '%s\n' "${tidy[@]}" >"$out/tidy.files"
	quiet "$out/tidy.log" "clang-tidy on ${#tidy[@]} files" \
		xargs -a "$out/tidy.files" -P "$JOBS" -I{} sh -c '
			echo "$3"
			mkdir -p "$2/$3"
			clang-tidy --quiet "$1/$3" -- -std=c++20 -I"$1/userspace/include" \
				-idirafter "$1/include/uapi" >"$2/$3/log" 2>&1 && touch "$2/$3/passed" || true' \
			sh "$REPO" "$out/tidy" {}
	for f in "${tidy[@]}"; do
		check "clang-tidy $f" sh -c 'cat "$1/log" && [ -e "$1/passed" ]' sh "$out/tidy/$f"
	done
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
