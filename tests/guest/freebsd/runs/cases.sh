# SPDX-License-Identifier: BSD-2-Clause
# The kyua cases of the board, by the same script as in the crosscheck.
. /vmtest/vm.sh
load
. /vmtest/suite.sh
cd /
unload
exit "$status"
