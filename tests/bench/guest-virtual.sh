# shellcheck shell=sh
# The curves over the number of members on devices without hardware, in
# instructions: dummy and veth.
. /net.sh

members=1,4,16,64,100,256,1024,4096
fewer=1,16,100,1024,4096
sockets=connected,sendto,sendmmsg,sendmmsg-batched,io_uring,group

curves() {
	measure "$1" ways=$sockets,af_xdp members=$members bytes=100,1000 rounds=3 datagrams=600 &&
		measure "$1" ways=$sockets,af_xdp members=$members change=1 rounds=3 datagrams=600 &&
		measure "$1" ways=$sockets members=$fewer bytes=100,1000 sndbuf=default rounds=3 \
			datagrams=600 &&
		measure "$1" ways=$sockets members=$fewer change=1 sndbuf=default rounds=3 \
			datagrams=600 &&
		measure "$1" ways=pktgen-1,pktgen-64 bytes=100,1000
}
{
	dummy 8192 && curves dummy && off_link dummy && veth 8192 && curves veth
} >/results/rows
