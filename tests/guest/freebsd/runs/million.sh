# SPDX-License-Identifier: BSD-2-Clause
# vmtest.submits=N jobs of one client while QEMU counts instructions. The client's lines are not
# collected, as `run` would: they show how far it is.
. /vmtest/vm.sh

load
native_drm million "$(argument submits)"
ended=$?
echo "guest: million ended with $ended"
if [ "$ended" != 0 ]; then status=1; fi
check counters 0 vmctl sysctl "dev.$driver.0"
unload
exit "$status"
