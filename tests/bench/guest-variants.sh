# shellcheck shell=sh
# What policies add: an nftables rule, conntrack, or the security module that
# the kernel was booted with. In instructions, dummy device.
. /net.sh

count() {
	measure dummy ways=connected,sendto,sendmmsg,sendmmsg-batched,io_uring,group \
		bytes=100,1000 rounds=3 datagrams=1000 "variant=$1"
}
{
	dummy 100 || exit 1
	lsm=$(cat /sys/kernel/security/lsm 2>/dev/null)
	echo "$lsm" >/results/lsm
	case $lsm in
	*apparmor*) count apparmor || exit 1 ;;
	*)
		count plain || exit 1
		nft 'table ip t { chain o { type filter hook output priority 0; counter; }; }' &&
			count nftables && nft list table ip t | grep -q 'packets [1-9]' || exit 1
		nft 'flush ruleset; table ip t { chain o { type filter hook output priority 0; ct state invalid drop; }; }' &&
			count conntrack && [ "$(cat /proc/sys/net/netfilter/nf_conntrack_count)" -ge 100 ] || exit 1
		;;
	esac
} >/results/rows
