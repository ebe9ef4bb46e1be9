# SPDX-License-Identifier: BSD-2-Clause
# devctl(8) suspend and resume while two clients draw: vmtest.sh checks in the register trace that
# the GPU is not accessed between the marks. Then the device is detached and attached again, and
# last the machine is powered off while two clients submit jobs.
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
# The module can be unloaded while its device is detached. Loading it attaches the device, so that
# another attach fails with EBUSY.
check detach 0 vmctl detach "${driver}0"
unload
load
clear gles_clear 0
check attached 16 vmctl attach "${driver}0"
unload
# Returning powers the machine off, while two clients submit jobs.
load
for n in 1 2; do native_drm busy & done
while [ "$(vmctl sysctl "dev.$driver.0.jobs")" = "dev.$driver.0.jobs: 0" ]; do sleep 0.1; done
vmctl mark 1003
exit "$status"
