// SPDX-License-Identifier: BSD-2-Clause
// Made from drm_os.h by mk/bindgen.sh; do not edit.
