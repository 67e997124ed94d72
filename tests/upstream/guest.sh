# shellcheck shell=sh
# Runs each test of /selftests/tests as tools/testing/selftests/run_kselftest.sh
# would: in its own directory, one after the other. Its exit status goes to
# /results/codes, what it prints to /results/NUMBER.out. What does not pass is no
# failure here: the host compares two kernels.

# longer waits, and timing that is reported and not judged
export KSFT_MACHINE_SLOW=1
# before busybox
export PATH=/usr/local/bin:$PATH
cd /selftests || exit 1

# tcpdump gives its privileges up for those of a user that Debian made for it, and
# then cannot write into a file that a test has made for it: here it is root.
printf '%s\n' root:x:0:0:root:/root:/bin/sh tcpdump:x:0:0::/:/bin/false \
	nobody:x:65534:65534::/:/bin/false >/etc/passwd
printf '%s\n' root:x:0: tcpdump:x:0: nogroup:x:65534: >/etc/group

# a test may want the device that a tunnel's driver makes in each namespace
echo 0 >/proc/sys/net/core/fb_tunnels_only_for_init_net

sleep 5 # until the addresses of lo are ready
number=0
grep -v '^#' tests >/tmp/tests
while read -r line <&3; do
	number=$((number + 1))
	echo "guest: $(cut -d. -f1 /proc/uptime) s, $line"
	# The longest takes 77 s. Where one waits for ever (gre_gso.sh, if the port of
	# its first listener is not free yet) the guest is all the slower for it.
	# shellcheck disable=SC2086 # words
	timeout -k 10 180 ./$line >"/results/$number.out" 2>&1 </dev/null 3<&-
	echo "$? $number $line" >>/results/codes
	# what one test left behind is not the next one's
	for ns in $(ip -br netns list | cut -d' ' -f1); do
		ip netns pids "$ns" | xargs -r kill -9
		ip netns del "$ns"
	done
done 3</tmp/tests
exit 0
