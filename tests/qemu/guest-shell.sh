# shellcheck shell=sh
# `make shell`: a prompt on the console. Leaving it turns the guest off.

modprobe udp_group 2>/dev/null
echo
echo "The patched kernel, with stream, count, hello and paper on board. exit or Ctrl-D ends it."
setsid cttyhack /bin/sh -i </dev/ttyS0 >/dev/ttyS0 2>&1
