# SPDX-License-Identifier: BSD-2-Clause
# Jobs for the module, whose instructions QEMU counts (tests/qemu/src/count.rs). It gets the
# module's address, which applies to code that it translates from then on: the module is loaded
# again, to the same place. Linux's SCHED_IDLE is not emulated: FreeBSD's own idle priority has the
# time that idle time.
. /vmtest/vm.sh

load
where=$(vmctl module drmkpi)
unload
load
echo "$where"
check place 0 test "$(vmctl module drmkpi)" = "$where"
vmctl spin &
run submits 0 submits "$DRMBOARD_BOARD" spun
kill $!
unload
exit "$status"
