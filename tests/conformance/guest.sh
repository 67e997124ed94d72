# shellcheck shell=sh
# The conformance tests alone, those that the filter names.

GTEST_OUTPUT=xml:/results/conformance_test.xml /tests/conformance_test --gtest_color=no \
	--gtest_filter="$(cat /filter)" >/results/conformance_test.log 2>&1
rc=$?
grep -E -B 12 '^\[  FAILED  \]' /results/conformance_test.log
rmmod udp_group || rc=1
exit $rc
