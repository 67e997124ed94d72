# shellcheck shell=sh
# The KUnit suites: they run when the module is loaded.

modprobe udp_group || exit 1
for f in /sys/kernel/debug/kunit/udp_group_*/results; do
	suite=${f%/results}
	cp "$f" "/results/${suite##*/}.ktap" || exit 1
done
rmmod udp_group
