# shellcheck shell=sh
# iperf3, over loopback and over veth between two network namespaces: TCP, and
# UDP as fast as it can. The buffers are large enough that UDP loses nothing, so
# that every exchange is the same work.

echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
echo 16777216 >/proc/sys/net/core/rmem_max
echo 16777216 >/proc/sys/net/core/wmem_max
ip netns add server && ip netns add client &&
	ip link add v0 netns server type veth peer name v0 netns client || exit 1
for side in server=10.0.0.1 client=10.0.0.2; do
	ip -n "${side%=*}" addr add "${side#*=}/24" dev v0 && ip -n "${side%=*}" link set v0 up || exit 1
done

uname -srvm >/results/kernel
# The first round, in which much happens for the first time, is not kept.
for round in warm 1 2 3 4 5; do
	echo "guest: round $round"
	to=/results
	[ "$round" = warm ] && to=/tmp
	exchange - - 127.0.0.1 -i 0 -w 256K -n 128M >>$to/tcp-lo &&
		exchange server client 10.0.0.1 -i 0 -w 256K -n 128M >>$to/tcp-veth &&
		exchange - - 127.0.0.1 -i 0 -u -b 0 -l 1000 -w 8M -k 20000 >>$to/udp-lo &&
		exchange server client 10.0.0.1 -i 0 -u -b 0 -l 1000 -w 8M -k 20000 >>$to/udp-veth ||
		exit 1
done
