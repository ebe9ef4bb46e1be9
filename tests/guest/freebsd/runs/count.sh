# SPDX-License-Identifier: BSD-2-Clause
# Submits jobs while QEMU counts the instructions of the module (tests/guest/qemu/src/count.rs). The
# module's address applies to code that QEMU translates after it is set, so the module is unloaded
# and loaded again, and must get the same address. `vmctl spin` consumes the idle time with
# FreeBSD's idle priority, because the Linux emulation has no SCHED_IDLE.
. /vmtest/vm.sh

load
where=$(vmctl module drmkpi)
unload
load
echo "$where"
check address 0 test "$(vmctl module drmkpi)" = "$where"
vmctl spin &
run submits 0 submits "$DRMBOARD_BOARD" spun
kill $!
unload
exit "$status"
