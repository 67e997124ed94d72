#!/usr/bin/env bash
# Applies the series to a kernel tree of the user's: apply.sh TREE
. "$(dirname "$0")/common.sh"

tree=$(realpath "${1:?usage: make apply TREE=/path/to/linux}")
[ -f "$tree/net/ipv4/udp.c" ] || die "$tree is not a Linux tree"
patches=$REPO/build/patches/$KVER

"$REPO/kernel/scripts/series.sh" "$patches"

if [ "$(git -C "$tree" rev-parse --show-toplevel 2>/dev/null)" = "$tree" ]; then
	git -C "$tree" am "$patches"/*.patch
else
	# All or nothing: if it does not fit, the tree is left alone.
	git -C "$CACHE/series-$KVER" diff base HEAD >"$CACHE/whole-$KVER.diff"
	patch -d "$tree" -p1 --dry-run -s -f <"$CACHE/whole-$KVER.diff" ||
		die "the series does not apply to $tree"
	patch -d "$tree" -p1 -s <"$CACHE/whole-$KVER.diff"
fi
say "applied; next: make menuconfig (Networking options, UDP: group unicast), then build as usual"
