# SPDX-License-Identifier: BSD-2-Clause
# The module and the clients, one after the other; then it is unloaded, and nothing may be left of it.
. /vmtest/vm.sh
# The first time fills caches of the kernel that are never emptied.
load
clear first 0
unload warm
vmctl usage /tmp/usage
load
check nodes 0 nodes
check sysctl 0 vmctl sysctl "dev.$driver"
check dri 0 vmctl sysctl hw.dri
run native 0 native_drm
# It ends with the number of platforms that it cannot open: Wayland and X11.
run eglinfo 2 eglinfo
clear gles_clear 0
run share 0 share
unload
check gone 1 vmctl loaded drmkpi
check leaks 0 vmctl leaks /tmp/usage 1
exit "$status"
