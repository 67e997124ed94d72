# shellcheck shell=sh
# A glance: 100 members, dummy device, instructions. The ordinary ways before
# there has been a group and, on a kernel that has them, after the first one.
. /net.sh

count() {
	measure dummy rounds=9 datagrams=1000 "$@"
}
{
	dummy 100 || exit 1
	if [ -e /proc/sys/net/ipv4/udp_group_max_members ]; then
		count ways=connected,sendto,sendmmsg "variant=with, no group" &&
			count ways=connected,sendto,sendmmsg,group bytes=100,1000 &&
			count ways=connected,sendto,sendmmsg "variant=after one"
	else
		count ways=connected,sendto,sendmmsg variant=without
	fi
} >/results/rows
