# shellcheck shell=sh
# The long run of the fuzzer: for how many seconds and from which seed is in
# /plan.

read -r seconds seed </plan
modprobe udp_group || exit 1
mkdir /results/corpus
chmod 777 /results/corpus

fuzz "$seconds" "$seed" /corpus /results/corpus >/results/fuzz.txt 2>&1
rc=$?
cat /results/fuzz.txt
sleep 2
rmmod udp_group || rc=1
exit $rc
