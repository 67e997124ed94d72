#!/usr/bin/env bash
# Unpacks the source of Linux $KVER from Debian's package into the cache.
. "$(dirname "$0")/common.sh"

need_for_kernel
version=$(dpkg-query -W -f='${Version}' "linux-source-$KVER")
stamp=$PRISTINE.version

if [ "$(cat "$stamp" 2>/dev/null)" != "$version" ]; then
	rm -rf "$PRISTINE" "$TREE" "$stamp"
	mkdir -p "${PRISTINE%/*}"
	quiet "$CACHE/unpack-$KVER.log" "unpacking linux-source-$KVER $version" \
		tar -C "${PRISTINE%/*}" -xf "/usr/src/linux-source-$KVER.tar.xz"
	echo "$version" >"$stamp"
fi
