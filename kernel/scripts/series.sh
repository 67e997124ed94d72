#!/usr/bin/env bash
# Writes the patch series for Linux $KVER, for git am: series.sh OUTDIR
# Leaves the patched files, and only those, in a git repository under the
# cache; tree.sh takes them from there.
. "$(dirname "$0")/common.sh"

out=$(realpath -m "${1:?usage: series.sh OUTDIR}")
patches=$REPO/kernel/patches
work=$CACHE/series-$KVER

need_for_kernel
lock_cache
[ -d "$PRISTINE" ] || "$REPO/kernel/scripts/source.sh"

rm -rf "$work" "$out"
mkdir -p "$work" "$out"
cd "$work" || exit

# Dates and names are fixed: the same sources make the same patches.
export GIT_AUTHOR_NAME="The groupcast developers"
export GIT_AUTHOR_EMAIL="groupcast@example.org"
export GIT_AUTHOR_DATE="2026-11-23T00:00:00Z"
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME
export GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
export GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1

git init -q
sed -n 's,^diff --git a/\(.*\) b/.*,\1,p' "$patches/$KVER"/*.diff | sort -u |
	while read -r file; do
		install -D -m 644 "$PRISTINE/$file" "$file"
	done
git add -A
git commit -q -m "linux $KVER"
git tag base

grep -v '^#' "$patches/series" | while read -r name files; do
	diff=$patches/$KVER/$name.diff
	if [ -s "$diff" ]; then
		git apply "$diff" || die "$diff does not apply"
	fi
	for f in $files; do
		install -D -m 644 "$REPO/${f%%=*}" "${f##*=}"
	done
	git add -A
	{
		cat "$patches/messages/$name"
		echo
		echo "Signed-off-by: $GIT_AUTHOR_NAME <$GIT_AUTHOR_EMAIL>"
	} | git commit -q -F -
done

git format-patch -q --no-signature -o "$out" base
say "series for Linux $KVER: $(find "$out" -name '*.patch' | wc -l) patches in $out"
