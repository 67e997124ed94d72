# shellcheck shell=sh
# A glance: 100 members, dummy device, instructions. The ordinary ways before
# there has been a group and, on a kernel that has them, after the first one:
# these behind one gateway that has the neighbour table to itself. Its hash has
# another seed in each boot, and each neighbour that comes before the one looked
# for is 7 instructions a datagram.
. /net.sh

count() {
	measure dummy rounds=9 datagrams=1000 "$@"
}
ordinary() {
	count ways=connected,sendto,sendmmsg first=10.128.0.1 "$@"
}
neighbours() {
	ip neigh flush dev dummy nud permanent && measure dummy neighbours "$1" | ip -batch -
}
{
	dummy 1 && ip route add 10.128.0.0/9 via 10.64.0.2 || exit 1
	if [ -e /proc/sys/net/ipv4/udp_group_max_members ]; then
		ordinary "variant=with, no group" && neighbours 100 &&
			count ways=connected,sendto,sendmmsg,group bytes=100,1000 && neighbours 1 &&
			ordinary "variant=after one"
	else
		ordinary variant=without
	fi
} >/results/rows
