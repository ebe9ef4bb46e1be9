#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Builds what running a program on a virtual board takes: drmboard, its shim for both architectures,
# the arm64 clients.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

may_mount
# What this machine lacks is installed first, and checked again when there is a sysroot, whose std
# may want another compiler.
mk/need.sh build arm64 qemu
mk/sysroot.sh
mk/need.sh arm64

# place FROM TO: copies a built file, leaving an identical one alone.
place() {
	if ! cmp -s "$1" "$2"; then
		install -D -m 755 "$1" "$2"
	fi
}

say "build: drmboard and its x86_64 shim (some minutes, the first time)"
cargo build --release -p drmboard --bin drmboard
cargo build --release -p drmboard_shim
place "$TARGET/release/libdrmboard_shim.so" "$TARGET/shim/x86_64/libdrmboard_shim.so"
say "build: the arm64 shim"
mk/arm64.sh build --release -p drmboard_shim
place "$ARM64/libdrmboard_shim.so" "$TARGET/shim/aarch64/libdrmboard_shim.so"
say "build: the arm64 clients"
mk/arm64.sh build --release --manifest-path tests/guest/clients/Cargo.toml
