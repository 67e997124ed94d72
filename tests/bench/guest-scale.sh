# shellcheck shell=sh
# What a member costs in groups of every size: behind one gateway up to 65,536,
# on the link up to 512, and with a single one. In instructions, dummy device.
. /net.sh

{
	dummy 512 &&
		measure dummy ways=connected,sendto,sendmmsg,group members=1 rounds=5 datagrams=200 &&
		measure dummy ways=group,sendmmsg members=16,32,64,100,128,256,512 rounds=3 \
			datagrams=1000 variant=on-link &&
		ip route add 10.128.0.0/9 via 10.64.0.2 &&
		measure dummy ways=group,sendmmsg members=16,64,100,256,1024,4096 rounds=3 \
			datagrams=1000 variant=gateway first=10.128.0.1 &&
		measure dummy ways=group members=16384,65536 rounds=3 variant=gateway first=10.128.0.1
} >/results/rows
