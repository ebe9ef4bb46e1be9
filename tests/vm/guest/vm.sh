# SPDX-License-Identifier: BSD-2-Clause
# Read first by the scripts that init starts. The root is read-only, /tmp is not. vmctl does what
# takes FreeBSD's own system calls.
/bin/busybox mkdir -p /tmp/bin /tmp/case
/bin/busybox --install -s /tmp/bin
export PATH=/tmp/bin:/bin:/usr/bin
argument() { vmctl kenv "vmtest.$1"; }
DRMBOARD_BOARD=$(argument board)
DRMBOARD_GUEST=freebsd
export DRMBOARD_BOARD DRMBOARD_GUEST
driver=$(argument driver)
# What Linux's libdrm searches for; the root's /sys points here.
ln -s "/boards/$DRMBOARD_BOARD" /tmp/sys
. /vmtest/lib.sh

# check NAME EXPECTED CMD...: as `run`, of something that is no client.
check() { run "$@"; }

load() { check load 0 vmctl load /modules/drmkpi.ko; }
unload() { check "${1:-unload}" "${2:-0}" vmctl unload drmkpi; }
nodes() { ls -lL /dev/dri/card0 /dev/dri/renderD128 /dev/drm/0 /dev/drm/128; }
