# SPDX-License-Identifier: BSD-2-Clause
# Sourced first by the scripts that init runs. The root is read-only, /tmp is a tmpfs. vmctl makes
# FreeBSD's own system calls.
/bin/busybox mkdir -p /tmp/bin /tmp/case
/bin/busybox --install -s /tmp/bin
export PATH=/tmp/bin:/bin:/usr/bin
argument() { vmctl kenv "vmtest.$1"; }
DRMBOARD_BOARD=$(argument board)
DRMBOARD_GUEST=freebsd
export DRMBOARD_BOARD DRMBOARD_GUEST
driver=$(argument driver)
# /sys of the image is a link to this one: Linux's libdrm reads the files of the board there.
ln -s "/boards/$DRMBOARD_BOARD" /tmp/sys
. /vmtest/lib.sh

# check NAME EXPECTED CMD...: as `run`, for a command that is no client.
check() { run "$@"; }

load() { check load 0 vmctl load /modules/drmkpi.ko; }
unload() { check "${1:-unload}" "${2:-0}" vmctl unload drmkpi; }
nodes() { ls -lL /dev/dri/card0 /dev/dri/renderD128 /dev/drm/0 /dev/drm/128; }
