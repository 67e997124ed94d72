#!/usr/bin/env bash
# Makes the guest's initial file system: initramfs.sh OUT OBJ SCRIPT [FILE=DEST...]
# OBJ is the kernel's build directory, for its modules. SCRIPT is what the
# guest runs. Each FILE goes to DEST, programs together with their libraries.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

out=$1 obj=$2 script=$3
shift 3
need busybox-static iproute2 nftables cpio kmod

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# A program, and the shared libraries that the loader would find for it.
put() {
	local lib
	install -D "$1" "$root/$2"
	{ ldd "$1" 2>/dev/null || true; } | sed -n 's,^[^/]*\(/[^ :]*\) (.*,\1,p' | while read -r lib; do
		[ -e "$root/$lib" ] || install -D "$lib" "$root/$lib"
	done
}

# mktemp's directory is root's alone, and programs of other users need this one
chmod 755 "$root"
mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,dev,proc,sys,tmp,run,etc,root,results}
put /bin/busybox bin/busybox
# busybox's own shell would run its own ip and tc, whatever PATH says
put /bin/dash bin/sh
put "$(command -v ip)" sbin/ip
put "$(command -v tc)" sbin/tc
put "$(command -v nft)" usr/sbin/nft
install -m 755 "$(dirname "$0")/init.sh" "$root/init"
install -m 755 "$script" "$root/guest.sh"
for spec; do put "${spec%%=*}" "${spec#*=}"; done

if [ -d "$obj/root/lib/modules" ]; then
	cp -r "$obj/root/lib" "$root/"
	rm -f "$root"/lib/modules/*/{build,source}
	for v in "$root"/lib/modules/*; do depmod -b "$root" "${v##*/}"; done
fi

(cd "$root" && find . -print0 | cpio -0 -o -H newc --quiet -R 0:0) | gzip -1 >"$out"
