# shellcheck shell=sh
# The emulated cards, by the clock: only ratios inside this run mean anything.
# A queue holds 1000 packets: with no more at a time none is dropped.
. /net.sh

members=1,4,16,64,100,256,1024,4096
fewer=1,16,100,1024,4096
sockets=connected,sendto,sendmmsg,sendmmsg-batched,io_uring,group
# What is compared with a group round by round is next to it, and none of them
# is measured in the state that another left the machine in.
beside=pktgen-1,pktgen-64,group,connected,sendto,sendmmsg,sendmmsg-batched,io_uring,af_xdp

curves() {
	measure "$1" clock=wall ways=$beside rounds=20 warm=200 datagrams=500 repeats=10 \
		variant=interleaved &&
		measure "$1" clock=wall ways=$sockets,af_xdp members=$members bytes=100,1000 rounds=5 \
			datagrams=1000 &&
		measure "$1" clock=wall ways=$sockets,af_xdp members=$members change=1 rounds=5 \
			datagrams=1000 &&
		measure "$1" clock=wall ways=$sockets members=$fewer bytes=100,1000 sndbuf=default \
			rounds=5 datagrams=1000 &&
		measure "$1" clock=wall ways=$sockets members=$fewer change=1 sndbuf=default rounds=5 \
			datagrams=1000
}
{
	name_cards || exit 1
	for card in e1000 virtio-net; do
		on_link $card 8192 && curves $card && off_link $card || exit 1
	done
} >/results/rows
