# SPDX-License-Identifier: BSD-2-Clause
# The kyua cases of the board: the script of the crosscheck, on our driver.
. /vmtest/vm.sh
load
. /vmtest/suite.sh
cd /
unload
exit "$status"
