# shellcheck shell=sh
# Devices to send through, for the guests that measure. They are called what
# they are: dummy, veth, e1000, virtio-net. Every member has a permanent
# neighbour entry, so nothing is resolved and nothing is thrown out; the
# Ethernet address in it is nobody's, so whoever gets a frame drops it at once.

echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
modprobe -q udp_group
# Not for the kernel without the patches, which has no batches.
if [ -e /sendmmsg_batch.ko ] && grep -q ' xmit_batch_begin$' /proc/kallsyms; then
	insmod /sendmmsg_batch.ko || exit 1
fi
uname -r >/results/kernel

# on_link DEVICE MEMBERS: the members are on the device's own network.
on_link() {
	echo 1 >"/proc/sys/net/ipv6/conf/$1/disable_ipv6"
	ip addr add 10.64.0.1/12 dev "$1" && ip link set "$1" up &&
		measure "$1" neighbours "$2" | ip -batch -
}

off_link() {
	ip link set "$1" down && ip addr flush dev "$1"
}

# A device that transmits into nothing.
dummy() {
	ip link add dummy type dummy && on_link dummy "$1"
}

# A pair whose other end is in another namespace, which has no address.
veth() {
	ip netns add peer && ip link add veth type veth peer name other netns peer &&
		ip -n peer link set other up && on_link veth "$1"
}

# The emulated cards, by the names that they go by; down.
name_cards() {
	for path in /sys/class/net/*/device/driver; do
		device=${path#/sys/class/net/}
		driver=$(basename "$(readlink "$path")" | tr _ -)
		ip link set "${device%%/*}" name "$driver" || return 1
	done
}
