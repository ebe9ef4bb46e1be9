# SPDX-License-Identifier: BSD-2-Clause
# kldunload while a client has a node open, while jobs run, and, with an injected hang, during a
# reset: it fails with EBUSY, and the client is not affected.
. /vmtest/vm.sh
export PAN_MESA_DEBUG=linear
load
gles_clear --frames 60 >/tmp/out 2>&1 &
client=$!
while [ "$(vmctl sysctl "dev.$driver.0.open_files")" = "dev.$driver.0.open_files: 0" ]; do
	sleep 0.1
done
n=0
while kill -0 "$client" 2>/dev/null; do
	vmctl unload drmkpi >/tmp/busy
	case $? in
	16) n=$((n + 1)) ;;
	# The client has just closed the node.
	0) break ;;
	*) cat /tmp/busy && status=1 ;;
	esac
	sleep 0.1
done
wait "$client"
echo "guest: busy ended with $?"
echo "guest: EBUSY $n times"
tail -n 1 /tmp/out | sed 's/^/busy: /'
vmctl loaded drmkpi || load
clear gles_clear 0
unload
exit "$status"
