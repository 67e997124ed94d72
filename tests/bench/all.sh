#!/usr/bin/env bash
# What `make bench` does: all experiments, the report, and the aims. Takes
# minutes; figures by the clock need a machine that does nothing else.
# shellcheck source=tests/bench/bench.sh
. "$(dirname "$0")/bench.sh"

bench_kernel
BENCH_PLAIN=$(plain_kernel)
export BENCH_PLAIN

rm -rf "$RESULTS"
failed=()
run() {
	say "== $*"
	"$@" || failed+=("$1")
}
run "$BENCH/micro.sh"
run "$BENCH/table.sh"
run "$BENCH/interface.sh"
for part in profile/run.sh um/run.sh iperf/run.sh capacity-check.sh; do
	[ ! -e "$BENCH/$part" ] || run "$BENCH/$part"
done
run "$BENCH/run.sh"

need python3-matplotlib
"$BENCH/report/report.py" --figures || failed+=(report)
printf '\nThe aims:\n\n'
"$BENCH/aims.py" || failed+=(aims)
[ ${#failed[@]} = 0 ] || die "failed: ${failed[*]#"$BENCH/"}"
