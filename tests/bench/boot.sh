#!/usr/bin/env bash
# Boots a kernel in QEMU so that instructions can be counted:
# boot.sh BZIMAGE INITRAMFS OUTDIR [QEMU-OPTION...]
#
# With -icount shift=0 a nanosecond of the guest's clock is one instruction.
# One CPU, so that nothing is counted that another one does. erms and fsrm are
# off: with them copies are rep movsb, which TCG counts one a byte.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

bzimage=$1 initramfs=$2 out=$3
shift 3
CPU=max,-erms,-fsrm "$REPO/tests/qemu/boot.sh" "$bzimage" "$initramfs" "$out" 900 \
	-smp 1 -icount shift=0,sleep=off "$@"
