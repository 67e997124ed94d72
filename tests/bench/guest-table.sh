# shellcheck shell=sh
# The paper's table, on its card, by the clock. The members are behind a gateway.
. /net.sh

name_cards && on_link e1000 1 && ip route add 10.128.0.0/9 via 10.64.0.2 &&
	table e1000 >/results/rows
