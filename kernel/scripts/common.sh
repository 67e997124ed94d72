# shellcheck shell=bash
# What the scripts share: where things are, how they speak, what they need.
# Sourced, from anywhere in the checkout.

set -euo pipefail

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
KVER=${KVER:-6.12}
CACHE=${GROUPCAST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/groupcast}
PRISTINE=$CACHE/pristine/linux-source-$KVER
TREE=$CACHE/src/linux-source-$KVER
JOBS=${JOBS:-$(nproc)}
export REPO KVER CACHE PRISTINE TREE JOBS
export CCACHE_DIR=${CCACHE_DIR:-$CACHE/ccache}

mkdir -p "$CACHE"

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2; }
die() { say "error: $*"; exit 1; }

# Runs a long command with its output in a log, and shows every now and then
# how far it is, as the log tells or the file WATCH. quiet LOG WHAT COMMAND...
quiet() {
	local log=$1 what=$2 watch=${WATCH:-$1} start=$SECONDS pid rc=0
	shift 2
	say "$what (log: $log)"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		if (((SECONDS - start) % 30 == 29)); then
			say "  ... $((SECONDS - start)) s, $(wc -l <"$watch") lines, now: $(tail -n 1 "$watch" | tr -d '\r' | cut -c1-70)"
		fi
	done
	wait "$pid" || rc=$?
	if ((rc)); then
		tail -n 40 "$log" >&2
		die "$what: failed ($rc)"
	fi
	say "$what: done in $((SECONDS - start)) s"
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Compilers, for what runs here, that a fresh clone finds warm. A program's debug
# information may name the clone that was first.
cached_compilers() { export CC="ccache cc" CXX="ccache g++" CCACHE_NOHASHDIR=1; }

# need PACKAGE...: installs those that are missing.
need() {
	local missing=() p
	for p in "$@"; do
		dpkg-query -W -f='${Status}' "$p" 2>/dev/null |
			grep -q 'ok installed' || missing+=("$p")
	done
	[ ${#missing[@]} = 0 ] && return
	say "missing packages: ${missing[*]}"
	quiet "$CACHE/apt-update.log" "reading Debian's package lists" \
		as_root apt-get update
	quiet "$CACHE/apt-install.log" "installing ${#missing[@]} packages" \
		as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends "${missing[@]}"
}

need_for_kernel() {
	need "linux-source-$KVER" build-essential bc bison flex libelf-dev \
		libssl-dev xz-utils ccache cpio kmod rsync git python3 perl dwarves
}

# One user of the trees and objects of a kernel version at a time; the scripts
# that it calls are a part of it.
lock_cache() {
	[ -z "${GROUPCAST_LOCKED:-}" ] || return 0
	exec 9>"$CACHE/lock-$KVER"
	if ! flock -n 9; then
		say "waiting for another build of Linux $KVER to end"
		flock 9
	fi
	export GROUPCAST_LOCKED=1
}
