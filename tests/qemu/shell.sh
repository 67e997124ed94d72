#!/usr/bin/env bash
# What `make shell` does: boots the demo kernel to a prompt.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

out=$REPO/build/shell
need build-essential libssl-dev qemu-system-x86

mkdir -p "$out"
bzimage=$("$REPO/kernel/scripts/build.sh" "${CONFIG:-demo}" | tail -n 1)
make -s -C "$REPO/tests/demo" OUT="$out"
make -s -C "$REPO/tests/bench" OUT="$out"
make -s -C "$REPO/userspace" OUT="$out/lib"
"$REPO/tests/qemu/initramfs.sh" "$out/shell.gz" "${bzimage%/arch/*}" \
	"$REPO/tests/qemu/guest-shell.sh" "$out/stream=/bin/stream" "$out/count=/bin/count" \
	"$out/lib/examples/hello=/bin/hello" "$out/lib/examples/paper=/bin/paper" \
	"$out/lib/examples/chat=/bin/chat" "$out/lib/examples/media=/bin/media"
exec qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
	-accel "${ACCEL:-tcg}" -cpu max -m 1536M -smp 2 \
	-serial mon:stdio -serial null -kernel "$bzimage" -initrd "$out/shell.gz" \
	-append "console=ttyS0 panic=-1 net.ifnames=0 quiet"
