# shellcheck shell=sh
# Counts instructions: a dummy device, 100 members on its network.

modprobe udp_group || exit 1
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
ip link add d0 type dummy && ip link set d0 up && ip addr add 10.64.0.1/16 dev d0 || exit 1
for bytes in 100 1000; do
	count d0 100 $bytes >>/results/count || exit 1
done
