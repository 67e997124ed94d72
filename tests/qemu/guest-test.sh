# shellcheck shell=sh
# What tests run in the guest: every program in /tests, then a search for leaks.
# Each leaves its own result; the host counts them.

fail=0

# autoload_test comes first: it is about a module that nobody has used yet.
mkdir /first
[ ! -e /tests/autoload_test ] || mv /tests/autoload_test /first/
for t in /first/* /tests/*; do
	[ -e "$t" ] || continue
	name=${t##*/}
	echo "guest: $name"
	GTEST_OUTPUT=xml:/results/$name.xml "$t" --gtest_color=no \
		>"/results/$name.log" 2>&1 ||
		grep -E -B 12 '^\[  FAILED  \]' "/results/$name.log"
	[ -s "/results/$name.xml" ] || { tail -n 30 "/results/$name.log"; fail=1; }
done

# Leaks: what is freed after a grace period has been freed by now, and a first
# scan sees what is only on its way.
sleep 6
if [ -e /sys/kernel/debug/kmemleak ]; then
	echo scan >/sys/kernel/debug/kmemleak
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak
	cat /sys/kernel/debug/kmemleak >/results/kmemleak
	cat /results/kmemleak
fi
[ -e /sys/module/udp_group/refcnt ] || exit $fail # it is built in
rmmod udp_group || fail=1

exit $fail
