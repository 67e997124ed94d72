# shellcheck shell=sh
# The guest of a profile: a dummy device, its network, and one gateway in it to
# whom everything beyond goes, so that members there are distinct but behind one
# neighbour. /plan says what runs; what it prints is for the host.

modprobe -q udp_group
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
ip link add d0 type dummy && ip link set d0 up && ip addr add 10.64.0.1/16 dev d0 || exit 1
ip neigh add 10.64.255.254 lladdr 02:00:00:00:00:fe nud permanent dev d0 || exit 1
ip route add 10.128.0.0/9 via 10.64.255.254 dev d0 || exit 1
uname -r >/results/release
/bin/sh -e /plan >/results/windows
