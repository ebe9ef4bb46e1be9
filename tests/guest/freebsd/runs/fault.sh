# SPDX-License-Identifier: BSD-2-Clause
# The model injects a fault into a job of the first client, which must exit with vmtest.first=STATUS
# of the kernel's environment. The clients after it must succeed.
. /vmtest/vm.sh
load
clear first "$(argument first)"
clear gles_clear 0
run share 0 share
check counters 0 vmctl sysctl "dev.$driver.0"
unload
exit "$status"
