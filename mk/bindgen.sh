#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Prints the Rust bindings of drm_os.h; sys/dev/drm/kpi/src/os/bindings.rs holds what it printed
# last.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
cat <<'HEAD'
// SPDX-License-Identifier: BSD-2-Clause
// Made from drm_os.h by mk/bindgen.sh; do not edit.
HEAD
exec bindgen "$top/sys/dev/drm/kpi/include/drm_os.h" \
    --use-core --ctypes-prefix core::ffi --no-layout-tests --no-doc-comments \
    --size_t-is-usize --disable-header-comment --no-prepend-enum-name \
    --allowlist-function 'drm_os_.*' --allowlist-type 'drm_os_.*' --allowlist-var 'DRM_OS_.*'
