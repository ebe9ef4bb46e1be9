# SPDX-License-Identifier: BSD-2-Clause
# kldunload -f while clients have nodes open and buffers mapped: the module is unloaded, their
# requests fail with ENXIO, and their mappings are revoked.
. /vmtest/vm.sh
export PAN_MESA_DEBUG=linear
for round in 1 2; do
	load
	gles_clear --frames 100000 >/tmp/out 2>&1 &
	client=$!
	native_drm hold >/tmp/held 2>&1 &
	holder=$!
	sleep 2
	check forced 0 vmctl unload drmkpi force
	check gone 1 vmctl loaded drmkpi
	wait "$holder"
	echo "guest: holder ended with $?"
	sed 's/^/holder: /' /tmp/held
	n=0
	while kill -0 "$client" 2>/dev/null && [ "$n" -lt 100 ]; do
		sleep 0.1
		n=$((n + 1))
	done
	# The client may not notice that the driver is unloaded; it must be killable.
	kill -9 "$client" 2>/dev/null
	wait "$client"
	echo "guest: client ended with $?"
done
load
clear gles_clear 0
unload
exit "$status"
