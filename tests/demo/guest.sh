# shellcheck shell=sh
# The demonstration's part in the guest: four namespaces behind a veth pair
# each, and the file streamed to the receivers in them.

modprobe udp_group || exit 1
sites=
for i in 1 2 3 4; do
	ip netns add "r$i" || exit 1
	ip link add "v$i" type veth peer name eth0 netns "r$i" || exit 1
	ip addr add "10.0.$i.1/24" dev "v$i"
	ip link set "v$i" up
	ip -n "r$i" addr add "10.0.$i.2/24" dev eth0
	ip -n "r$i" link set eth0 up
	sites="$sites r$i=10.0.$i.2"
done
# shellcheck disable=SC2086
stream /stream.data 16 $sites >/results/stream
rc=$?
sha256sum /stream.data >/results/sha256
exit $rc
