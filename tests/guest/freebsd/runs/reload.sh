# SPDX-License-Identifier: BSD-2-Clause
# Loads and unloads the module a hundred times, and checks for leaks.
. /vmtest/vm.sh
check reload 0 vmctl reload 100 /modules/drmkpi.ko drmkpi
load
clear gles_clear 0
unload
exit "$status"
