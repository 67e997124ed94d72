# shellcheck shell=sh
# The paper's table, on its card, by the clock. The members are behind a gateway.
# Thousands of connected sockets, each with a send buffer of its own, can be
# faster than the card for longer than 1000 packets: the queue holds more here.
. /net.sh

name_cards && ip link set e1000 txqueuelen 10000 && on_link e1000 1 &&
	ip route add 10.128.0.0/9 via 10.64.0.2 && table e1000 >/results/rows
