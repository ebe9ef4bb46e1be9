# SPDX-License-Identifier: BSD-2-Clause
# Loads the module, runs the clients one after the other, and unloads it, three times. The first
# session fills caches that the kernel never empties; a count that grows in the second session and
# again in the third is a leak.
. /vmtest/vm.sh

session() {
	load
	check nodes 0 nodes
	check sysctl 0 vmctl sysctl "dev.$driver"
	check dri 0 vmctl sysctl hw.dri
	check minor 0 vmctl sysctl dev.drm.128
	run native 0 native_drm
	# Its exit status is the number of platforms that it cannot open: Wayland and X11.
	run eglinfo 2 eglinfo
	clear gles_clear 0
	run share 0 share
	run pixels 0 env PAN_MESA_DEBUG=linear lend native_drm pixels
	unload
	check gone 1 vmctl loaded drmkpi
}

: >/tmp/first
: >/tmp/second
session
vmctl usage /tmp/first
session
vmctl usage /tmp/second
session
check leaks 0 vmctl leaks /tmp/first /tmp/second
exit "$status"
