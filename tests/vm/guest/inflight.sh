# SPDX-License-Identifier: BSD-2-Clause
# Files that are closed by the kernel's collector of sockets in flight, in the one thread of
# taskqueue_thread.
. /vmtest/vm.sh
load
run inflight 0 native_drm inflight
clear gles_clear 0
unload
exit "$status"
