# SPDX-License-Identifier: BSD-2-Clause
# What FreeBSD's VM system can do with the pages of buffers, while the driver takes them away; and
# pages that are locked when the module is made to go.
. /vmtest/vm.sh
wired() { vmctl sysctl vm.stats.vm.v_user_wire_count; }
before=$(wired)
load
check vm 0 native_drm vm
native_drm locked >/tmp/locked 2>&1 &
holder=$!
sleep 1
check forced 0 vmctl unload drmkpi force
wait "$holder"
echo "guest: locked ended with $?"
sed 's/^/locked: /' /tmp/locked
load
clear gles_clear 0
unload
echo "guest: $before, and when all is gone $(wired)"
check wired 0 test "$(wired)" = "$before"
exit "$status"
