# SPDX-License-Identifier: BSD-2-Clause
# The machine is switched off while a client draws; vmtest.sh looks into the trace for what the GPU does after that.
. /vmtest/vm.sh
export PAN_MESA_DEBUG=linear
load
gles_clear --frames 100000 >/tmp/out 2>&1 &
sleep 4
check drawing 0 test "$(vmctl sysctl "dev.$driver.0.jobs")" != "dev.$driver.0.jobs: 0"
vmctl mark 1003
exit "$status"
