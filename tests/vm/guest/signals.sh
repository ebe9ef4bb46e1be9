# SPDX-License-Identifier: BSD-2-Clause
# Signals at random points of calls, natively and in Linux's emulation, half of vmtest.signals=COUNT
# each. A first session fills caches; what is more after the second and again after the third is a
# leak.
. /vmtest/vm.sh

# session COUNT
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
