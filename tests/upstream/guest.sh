# shellcheck shell=sh
# The kernel's selftests, one after the other, each in a directory like its own.
# What a test leaves is its log, and what it ended with.

# /proc is mounted where unshared mount namespaces expect it; PATH has Debian's
# programs first.
export PATH=/usr/bin:/usr/sbin:/sbin:/bin KSFT_MACHINE_SLOW=yes
modprobe udp_group 2>/dev/null
grep -c udp_group_sendmsg /proc/kallsyms >/results/groups

cd /net || exit 1
while read -r name _; do
	start=$(cut -d. -f1 /proc/uptime)
	timeout 600 "./$name" </dev/null >"/results/$name.log" 2>&1
	rc=$?
	echo $rc >"/results/$name.rc"
	echo "guest: $name: $rc, $(($(cut -d. -f1 /proc/uptime) - start)) s"
	# what one has left is not to be another's start
	ip -all netns del 2>/dev/null
done <tests
exit 0
