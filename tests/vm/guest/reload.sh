# SPDX-License-Identifier: BSD-2-Clause
# The module is loaded and unloaded a hundred times.
. /vmtest/vm.sh
check reload 0 vmctl reload 100 /modules/drmkpi.ko drmkpi
load
clear gles_clear 0
unload
exit "$status"
