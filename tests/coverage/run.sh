#!/usr/bin/env bash
# What `make coverage` does: the report on what the guests of the last `make test`
# have counted. The lines that were not run, each with its reason, go to
# build/test/coverage.txt.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

out=$REPO/build/test
[ -d "$out/guest/results/gcov" ] || die "make test comes first"
"$REPO/tests/coverage/report.py" "$CACHE/build/$KVER-debug" "$out/coverage.txt" \
	"$out"/{kunit,guest,conformance,smack}/results/gcov
