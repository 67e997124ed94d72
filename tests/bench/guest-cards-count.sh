# shellcheck shell=sh
# The emulated cards, with each round marked for who counts their doorbells.
# A queue holds 1000 packets: with more at a time some may be dropped.
. /net.sh

sockets=connected,sendto,sendmmsg,sendmmsg-batched,io_uring,group
{
	name_cards || exit 1
	for card in e1000 virtio-net; do
		on_link $card 1024 &&
			measure $card mark=0xe9 ways=$sockets,af_xdp,pktgen-1,pktgen-64 rounds=6 datagrams=1000 &&
			measure $card mark=0xe9 ways=$sockets members=16,1024 rounds=4 datagrams=1000 &&
			measure $card mark=0xe9 ways=$sockets sndbuf=default rounds=4 datagrams=1000 &&
			off_link $card || exit 1
	done
} >/results/rows
