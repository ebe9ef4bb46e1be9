# SPDX-License-Identifier: BSD-2-Clause
# A fault is planted in the model, for a job of the first client. How that one ends is in
# vmtest.first=STATUS of the kernel's environment; the same again has to be right.
. /vmtest/vm.sh
load
clear first "$(argument first)"
clear gles_clear 0
run share 0 share
check counters 0 vmctl sysctl "dev.$driver.0"
unload
exit "$status"
