# SPDX-License-Identifier: BSD-2-Clause
# Load, one frame, off.
. /vmtest/vm.sh
load
run gles_clear 0 env PAN_MESA_DEBUG=linear gles_clear --frames 1
exit "$status"
