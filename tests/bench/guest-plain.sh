# shellcheck shell=sh
# What the ordinary ways cost before there has been a group; then, on a kernel
# that has them, after the first one.

echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
ip link add d0 type dummy && ip link set d0 up && ip addr add 10.64.0.1/16 dev d0 || exit 1
count d0 100 100 connected sendto sendmmsg >/results/before || exit 1
if [ -e /proc/sys/net/ipv4/udp_group_max_members ]; then
	count d0 100 100 group >/dev/null || exit 1
	count d0 100 100 connected sendto sendmmsg >/results/after || exit 1
fi
