# shellcheck shell=sh
# Races and faults alone: the programs in /tests, then a search for leaks. What
# they are told is in the environment, which is the kernel's command line.

fail=0
for t in /tests/*; do
	name=${t##*/}
	echo "guest: $name"
	GTEST_OUTPUT=xml:/results/$name.xml "$t" --gtest_color=no \
		--gtest_filter="${TORTURE_FILTER:-*}" >"/results/$name.log" 2>&1
	grep -E -B 12 '^\[  FAILED  \]' "/results/$name.log"
	[ -s "/results/$name.xml" ] || { tail -n 30 "/results/$name.log"; fail=1; }
done

sleep 6
if [ -e /sys/kernel/debug/kmemleak ]; then
	echo scan >/sys/kernel/debug/kmemleak
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak
	cat /sys/kernel/debug/kmemleak >/results/kmemleak
	cat /results/kmemleak
fi
rmmod udp_group || fail=1

exit $fail
