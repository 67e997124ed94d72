# shellcheck shell=sh
# The KUnit suites: they run when the module is loaded. Then once more with the
# module that was built outside the tree, and the paper's program on it.

modprobe udp_group || exit 1
for f in /sys/kernel/debug/kunit/udp_group_*/results; do
	suite=${f%/results}
	cp "$f" "/results/${suite##*/}.ktap" || exit 1
done
rmmod udp_group || exit 1

insmod /udp_group.ko || exit 1
for f in /sys/kernel/debug/kunit/udp_group_*/results; do
	suite=${f%/results}
	cp "$f" "/results/outside-${suite##*/}.ktap" || exit 1
done
paper || exit 1
rmmod udp_group
