# SPDX-License-Identifier: BSD-2-Clause
# Clients are killed while they draw, each after another time. No file may stay open, and the next
# client must draw correctly.
. /vmtest/vm.sh
load
for delay in 0.3 0.5 0.7 0.8 0.9 1.0 1.1 1.2 1.3 1.5 1.7 2; do
	PAN_MESA_DEBUG=linear gles_clear --frames 100000 >/tmp/out 2>&1 &
	victim=$!
	sleep "$delay"
	kill -9 "$victim"
	wait "$victim"
done
echo "guest: killed ended with $?"
clear gles_clear 0
check counters 0 vmctl sysctl "dev.$driver.0"
unload
exit "$status"
