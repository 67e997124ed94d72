#!/bin/busybox sh
# The guest's first process: brings up what a program expects, runs
# /guest.sh and sends /results out of the second serial port as a tar archive.
# The console is for people to read, and for splats.

# Programs of Debian's that are here already stay.
/bin/busybox --install -s 2>/dev/null
export PATH=/sbin:/usr/sbin:/bin:/usr/bin HOME=/root TMPDIR=/tmp

mount -t proc proc /proc
mount -t sysfs sysfs /sys
[ -c /dev/null ] || mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t cgroup2 cgroup2 /sys/fs/cgroup
[ -d /sys/kernel/security ] && mount -t securityfs securityfs /sys/kernel/security
[ -d /sys/fs/smackfs ] && mount -t smackfs smackfs /sys/fs/smackfs
# TOMOYO learns by default, and keeps what it has learned in a list: a send to
# very many addresses would be about that. Its tests set up their own profile.
[ -d /sys/kernel/security/tomoyo ] &&
	echo '0-CONFIG={ mode=disabled }' >/sys/kernel/security/tomoyo/profile
mkdir -p /run/netns
# Tunnel drivers make a device of their own in each namespace, which would be
# counted where devices are.
[ -e /proc/sys/net/core/fb_tunnels_only_for_init_net ] &&
	echo 1 >/proc/sys/net/core/fb_tunnels_only_for_init_net
ip link set lo up

echo "guest: up after $(cut -d' ' -f1 /proc/uptime) s"
/bin/sh /guest.sh
echo $? >/results/exit
# Which lines have been run, of files that were compiled to count that. What a
# module counted is still there when it has been removed.
if [ -d /sys/kernel/debug/gcov ]; then
	mkdir /results/gcov
	find /sys/kernel/debug/gcov -path '*/net/*.gcda' -exec cp {} /results/gcov/ \;
fi
dmesg >/results/dmesg
cat /proc/sys/kernel/tainted >/results/tainted
: >/results/complete

stty -F /dev/ttyS1 raw -echo
tar -C /results -cf /dev/ttyS1 .
echo "guest: done"
poweroff -f
