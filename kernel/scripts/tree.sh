#!/usr/bin/env bash
# Brings the patched tree of Linux $KVER in the cache up to date. Only files
# whose contents change are written, so that make builds only what depends on
# them, from whichever clone of this repository it is called.
. "$(dirname "$0")/common.sh"

series=$CACHE/series-$KVER
list=$TREE.patched

"$REPO/kernel/scripts/source.sh"
"$REPO/kernel/scripts/series.sh" "$CACHE/patches-$KVER"

if [ ! -d "$TREE" ]; then
	say "making a tree to patch"
	mkdir -p "${TREE%/*}"
	cp -al "$PRISTINE" "$TREE"
fi

touch "$list"
git -C "$series" ls-files | sort >"$list.new"

# What is no longer patched becomes again what it was, or goes.
comm -23 "$list" "$list.new" | while read -r file; do
	rm -f "$TREE/$file"
	if [ -e "$PRISTINE/$file" ]; then cp -a "$PRISTINE/$file" "$TREE/$file"; fi
done
# rsync writes a new file and renames it: the pristine one is not touched.
rsync -rpc --files-from="$list.new" "$series/" "$TREE/"
mv "$list.new" "$list"
