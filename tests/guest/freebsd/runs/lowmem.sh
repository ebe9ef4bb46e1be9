# SPDX-License-Identifier: BSD-2-Clause
# The kernel runs its low-memory handlers ten times a second while two clients draw.
. /vmtest/vm.sh
load
clear alone 0
for n in 1 2; do
	PAN_MESA_DEBUG=linear gles_clear --frames 200 >"/tmp/out$n" 2>&1 &
	eval "client$n=$!"
done
n=0
while kill -0 "$client1" 2>/dev/null || kill -0 "$client2" 2>/dev/null; do
	vmctl set debug.vm_lowmem 1 || status=1
	n=$((n + 1))
	sleep 0.1
done
echo "guest: short of memory $n times"
for n in 1 2; do
	eval "wait \$client$n"
	echo "guest: lowmem$n ended with $?"
	tail -n 1 "/tmp/out$n" | sed "s/^/lowmem$n: /"
done
clear gles_clear 0
unload
exit "$status"
