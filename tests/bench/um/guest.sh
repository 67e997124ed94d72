# shellcheck shell=sh
# Native speed: a dummy device, and 65,536 members behind one gateway on it.

echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
ip link add d0 type dummy && ip link set d0 up && ip addr add 10.0.0.1/24 dev d0 &&
	ip route add 10.64.0.0/10 via 10.0.0.2 || exit 1
uname -srvm >/results/kernel
# shellcheck disable=SC2046
native d0 $(cat /native.args) >/results/rows
