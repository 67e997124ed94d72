# shellcheck shell=sh
# A member by IPv4 and by IPv6, one that joins and leaves, one that is left out, and
# the memory of one.
. /net.sh

{
	dummy 1 && ip route add 10.128.0.0/9 via 10.64.0.2 &&
		echo 0 >/proc/sys/net/ipv6/conf/dummy/disable_ipv6 &&
		ip addr add fd00::1/64 dev dummy nodad &&
		ip -6 neigh add fd00::2 lladdr 02:00:00:00:00:01 dev dummy nud permanent &&
		ip -6 route add fd00:1::/32 via fd00::2 &&
		interface families dummy 100 100 1024 &&
		interface families dummy 1000 100 &&
		interface churn 100 1024 65536 &&
		interface skip 100 1024 65536 &&
		echo +memory >/sys/fs/cgroup/cgroup.subtree_control &&
		mkdir /sys/fs/cgroup/measured &&
		sh -c 'echo $$ >/sys/fs/cgroup/measured/cgroup.procs &&
			exec interface memory /sys/fs/cgroup/measured 65536 4096'
} >/results/rows
