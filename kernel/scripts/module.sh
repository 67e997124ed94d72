#!/usr/bin/env bash
# Builds the engine outside the kernel tree, against a kernel that has the
# hooks (CONFIG_UDP_GROUP_HOOKS): module.sh KDIR
# KDIR is what /lib/modules/VERSION/build points to. The module's path is the
# last line printed.
. "$(dirname "$0")/common.sh"

kdir=$(realpath "${1:?usage: make module KDIR=/lib/modules/VERSION/build}")
out=$REPO/build/module

rm -rf "$out"
mkdir -p "$out"
cp "$REPO"/net/ipv4/udp_group_*.[ch] "$REPO/net/ipv4/Makefile.udp_group" "$out/"
rm "$out/udp_group_hooks.c"
mkdir -p "$out/include/trace/events"
cp "$REPO/include/trace/events/udp_group.h" "$out/include/trace/events/"
cat >"$out/Kbuild" <<'EOF'
CONFIG_UDP_GROUP := m
include $(src)/Makefile.udp_group
ccflags-y += -I$(src)/include
EOF
quiet "$out/build.log" "building udp_group.ko against $kdir" \
	make -C "$kdir" M="$out" W=1 modules
echo "$out/udp_group.ko"
