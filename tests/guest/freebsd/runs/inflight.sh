# SPDX-License-Identifier: BSD-2-Clause
# Files in flight between sockets, which the kernel's garbage collector of sockets closes in
# taskqueue_thread.
. /vmtest/vm.sh
load
run inflight 0 native_drm inflight
clear gles_clear 0
unload
exit "$status"
