# shellcheck shell=sh
# The guest of a profile: a device, its network, and one gateway in it to whom
# everything beyond goes, so that members there are distinct but behind one
# neighbour. The device, d0, is the machine's card, or a dummy if it has none.
# /plan says what runs; what it prints is for the host.
. /net.sh

card=dummy
for path in /sys/class/net/*/device; do
	[ ! -e "$path" ] || card=$(basename "$(readlink "$path/driver")")
done
if [ "$card" = dummy ]; then
	ip link add dummy type dummy || exit 1
else
	name_cards || exit 1
fi
ip link set "$card" name d0 || exit 1
echo "$card" >/results/device
grep '\[sendmmsg_batch\]' /proc/kallsyms >/results/module
ip link set d0 up && ip addr add 10.64.0.1/16 dev d0 || exit 1
ip neigh add 10.64.255.254 lladdr 02:00:00:00:00:fe nud permanent dev d0 || exit 1
ip route add 10.128.0.0/9 via 10.64.255.254 dev d0 || exit 1
# a dummy has no neighbours to ask for
if [ "$card" != dummy ]; then
	for n in $(seq 2 101); do
		echo "neigh add 10.64.0.$n lladdr 02:00:00:00:00:fe nud permanent dev d0"
	done | ip -batch - || exit 1
fi
/bin/sh -e /plan >/results/windows
