# shellcheck shell=sh
# Predicts, and measures what was predicted. A nanosecond is an instruction
# here. That a prediction is wrong is for the host to say.

uname -srvm >/results/kernel
modprobe udp_group 2>/dev/null
groupcast capacity --json --size 100,1000 --interval 10ms,33.3ms --budget 0.08,0.5,0.99 \
	--rounds 5 >/results/capacity
[ -s /results/capacity ]
