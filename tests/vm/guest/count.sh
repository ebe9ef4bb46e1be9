# SPDX-License-Identifier: BSD-2-Clause
# Jobs for the module, whose instructions QEMU counts (tests/qemu/src/count.rs). It is told where the module is, and that holds for code
# which it sees from then on: the module is loaded once more, to the same place. Linux's SCHED_IDLE is not emulated: FreeBSD's own
# idle priority has the time that nobody wants used up.
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
