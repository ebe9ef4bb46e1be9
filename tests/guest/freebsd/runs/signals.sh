# SPDX-License-Identifier: BSD-2-Clause
# Signals at random points of system calls of a native and of a Linux program, half of
# vmtest.signals=COUNT each. The first session fills caches; a count that grows in the second
# session and again in the third is a leak.
. /vmtest/vm.sh

# session COUNT: COUNT signals for each of the two programs.
session() {
	run native 0 native_drm signals "$1"
	run linux 0 signals "$DRMBOARD_BOARD" "$1"
}

quarter=$(($(argument signals) / 4))
: >/tmp/first
: >/tmp/second
load
session 400
vmctl usage /tmp/first
session "$quarter"
vmctl usage /tmp/second
session "$quarter"
check leaks 0 vmctl leaks /tmp/first /tmp/second
check counters 0 vmctl sysctl "dev.$driver.0"
unload
exit "$status"
