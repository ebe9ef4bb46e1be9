# SPDX-License-Identifier: BSD-2-Clause
# Loads the module, draws one frame, and powers off.
. /vmtest/vm.sh
load
run gles_clear 0 env PAN_MESA_DEBUG=linear gles_clear --frames 1
exit "$status"
