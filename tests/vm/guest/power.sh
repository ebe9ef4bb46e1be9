# SPDX-License-Identifier: BSD-2-Clause
# devctl(8) while two clients draw: vmtest.sh inspects the trace that nothing is done between the
# marks. Then the device is detached and attached again, and at last the machine is switched off
# while two clients have jobs done.
. /vmtest/vm.sh
export PAN_MESA_DEBUG=linear
load
for n in 1 2; do
	gles_clear --frames 60 >"/tmp/out$n" 2>&1 &
	eval "client$n=$!"
done
rounds=0
while kill -0 "$client1" 2>/dev/null && kill -0 "$client2" 2>/dev/null; do
	sleep 0.4
	check suspend 0 vmctl suspend "${driver}0"
	vmctl mark 1001
	sleep 1
	vmctl mark 1002
	check resume 0 vmctl resume "${driver}0"
	rounds=$((rounds + 1))
done
echo "guest: suspended $rounds times"
for n in 1 2; do
	eval "wait \$client$n"
	echo "guest: client$n ended with $?"
	tail -n 1 "/tmp/out$n" | sed "s/^/client$n: /"
done
check again 22 vmctl resume "${driver}0"
for n in 1 2 3; do
	check detach 0 vmctl detach "${driver}0"
	check gone 1 ls /dev/dri/renderD128
	check attach 0 vmctl attach "${driver}0"
	clear gles_clear 0
done
# Without its device the module goes, too, and forgets the name.
check detach 0 vmctl detach "${driver}0"
unload
load
clear gles_clear 0
check attached 16 vmctl attach "${driver}0"
unload
# The machine is switched off under two clients.
load
for n in 1 2; do native_drm busy & done
while [ "$(vmctl sysctl "dev.$driver.0.jobs")" = "dev.$driver.0.jobs: 0" ]; do sleep 0.1; done
vmctl mark 1003
exit "$status"
