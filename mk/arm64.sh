#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# arm64.sh ARGS...: `cargo ARGS` for aarch64-unknown-linux-gnu with std, into target/arm64. The
# compiler is Debian's rustc-web; its arm64 std lies in the sysroot's /usr/lib/rustlib, so the
# sysroot is a Rust sysroot too. Programs and libraries come out in
# target/arm64/aarch64-unknown-linux-gnu/{debug,release}/.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

triple=aarch64-unknown-linux-gnu
[ -d "$SYSROOT/usr/lib/rustlib/$triple" ] || die "no arm64 Rust std in $SYSROOT: run make sysroot"
env RUSTC=/usr/bin/rustc \
	CARGO_TARGET_DIR="${DRMKPI_ARM64_TARGET:-$TARGET/arm64}" \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER="$TOP/mk/cc-arm64" \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="--sysroot=$SYSROOT/usr" \
	CC_aarch64_unknown_linux_gnu="$TOP/mk/cc-arm64" \
	cargo "$1" --target "$triple" "${@:2}"
