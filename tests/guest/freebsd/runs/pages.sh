# SPDX-License-Identifier: BSD-2-Clause
# The VM system's operations on pages of buffers while the driver purges buffers; and pages that are
# locked in memory during kldunload -f.
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
echo "guest: wired before: $before; after: $(wired)"
check wired 0 test "$(wired)" = "$before"
exit "$status"
