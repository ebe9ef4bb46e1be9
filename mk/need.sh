#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# need.sh GROUP...: installs what a group of targets takes and this machine lacks, saying what and
# why. Groups: build (host Rust), arm64 (cross Rust and C), qemu (private qemu-aarch64), test,
# fresh, kmod, vmtest, mutants, libdrm, overlays, lint, audit, bench.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

missing=()
# want PKG WHY: notes PKG when it is not installed.
want() {
	case " ${missing[*]} " in *" $1 "*) return 0 ;; esac
	if ! have_package "$1"; then
		say "need: $1: $2"
		missing+=("$1")
	fi
}

for group in "$@"; do
	case $group in
	build)
		command -v cc >/dev/null || want gcc "links host programs"
		[ -e /usr/include/stdio.h ] || want libc6-dev "links host programs"
		[ -e /etc/ssl/certs/ca-certificates.crt ] ||
			want ca-certificates "cargo fetches crates by https"
		if ! command -v cargo >/dev/null; then
			want cargo-web "no cargo on PATH"
			want rustc-web "no cargo on PATH"
		fi
		;;
	arm64)
		want clang-19 "links arm64 programs against the sysroot"
		want lld-19 "the arm64 linker"
		want rustc-web "the compiler that Debian's arm64 Rust std belongs to"
		command -v cargo >/dev/null || want cargo-web "no cargo on PATH"
		;;
	kmod)
		want clang-19 "compiles the C glue for FreeBSD/arm64"
		want lld-19 "links the kernel module"
		want llvm-19 "nm, objcopy and objdump for arm64"
		# A compiler and the sources of its core, which is built with the kernel's flags.
		if [ ! -e "$("${RUSTC:-rustc}" --print sysroot \
			2>/dev/null)/lib/rustlib/src/rust/library/core/Cargo.toml" ]; then
			want rustc-web "its core can be built for the kernel"
			want rust-web-src "the sources of core"
		fi
		;;
	kmod-headers)
		command -v python3 >/dev/null || want python3 "unpacks FreeBSD's headers"
		python3 -m pip --version >/dev/null 2>&1 ||
			want python3-pip "fetches FreeBSD's headers"
		;;
	qemu)
		# What Debian's qemu-user links; the program itself is unpacked below target/ (the
		# package would register binfmt handlers).
		for lib in libcapstone4 libglib2.0-0 libgnutls30 libnuma1 liburing2; do
			want "$lib" "library of qemu-aarch64"
		done
		;;
	test)
		want kyua "runs the ATF test programs"
		want valgrind "counts instructions of the first and the last submits"
		;;
	fresh)
		want debootstrap "makes the bare Debian 12"
		;;
	vmtest)
		command -v qemu-system-aarch64 >/dev/null || want qemu-system-arm "the machine"
		command -v dtc >/dev/null || want device-tree-compiler "makes its device tree"
		command -v genisoimage >/dev/null || want genisoimage "makes the guest's root"
		command -v readelf >/dev/null || want binutils "finds the libraries of a program"
		want clang-19 "compiles programs for FreeBSD"
		want lld-19 "links them"
		;;
	mutants)
		want patch "plants faults in the models, and patches libdrm"
		;;
	libdrm)
		want meson "builds libdrm's tests"
		want ninja-build "builds libdrm's tests"
		command -v pkg-config >/dev/null || want pkg-config "builds libdrm's tests"
		command -v dpkg-source >/dev/null ||
			want dpkg-dev "unpacks Debian's source of libdrm"
		command -v cc >/dev/null || want gcc "builds libdrm's tests"
		[ -e /usr/include/stdio.h ] || want libc6-dev "builds libdrm's tests"
		;;
	overlays)
		want device-tree-compiler "compiles, applies and reads device trees"
		command -v cpp >/dev/null || want cpp "what FreeBSD runs before dtc"
		;;
	lint)
		want mandoc "checks the manual pages"
		want shellcheck "checks the scripts"
		if command -v cargo >/dev/null && cargo fmt --version >/dev/null 2>&1; then
			:
		else
			want rustfmt-web "cargo fmt"
		fi
		if command -v cargo >/dev/null && cargo clippy --version >/dev/null 2>&1; then
			:
		else
			want rust-web-clippy "cargo clippy"
		fi
		want bindgen "checks the bindings of drm_os.h"
		;;
	audit)
		command -v nm >/dev/null || want binutils "nm reads object files"
		;;
	bench)
		want valgrind "counts instructions"
		want linux-source-6.1 "the peers: page tables and scheduler of Linux"
		command -v xz >/dev/null || want xz-utils "unpacks it"
		want fonts-dejavu-core "the letters of the plot"
		;;
	*)
		die "no such group: $group"
		;;
	esac
done
if [ "${#missing[@]}" -gt 0 ]; then
	install_packages "${missing[@]}"
fi

for group in "$@"; do
	case $group in
	qemu)
		if [ ! -x "$QEMU" ]; then
			say "need: qemu-aarch64: unpacking Debian's qemu-user into target/qemu"
			rm -rf "$TARGET/qemu.new"
			mkdir -p "$TARGET/qemu.new"
			(
				cd "$TARGET/qemu.new"
				if ! apt-get -q download qemu-user >download.log 2>&1; then
					as_root apt-get -q update >>download.log 2>&1 || :
					apt-get -q download qemu-user >>download.log 2>&1 || {
						cat download.log >&2
						exit 1
					}
				fi
				dpkg -x qemu-user_*.deb .
				mv usr/bin/qemu-aarch64 .
				rm -rf usr qemu-user_*.deb
			)
			rm -rf "$TARGET/qemu"
			mv "$TARGET/qemu.new" "$TARGET/qemu"
		fi
		"$QEMU" --version >/dev/null || die "$QEMU does not start"
		;;
	arm64)
		# The arm64 std in the sysroot is of one exact compiler version; nothing to compare
		# before there is a sysroot.
		want_version=
		if [ -e "$TARGET/sysroot.apt/debs" ]; then
			want_version=$(sed -n 's/^libstd-rust-web-dev_\(.*\)_arm64\.deb$/\1/p' \
				"$TARGET/sysroot.apt/debs" | sed 's/%3a/:/g')
		fi
		have_version=$(dpkg-query -W -f '${Version}' rustc-web)
		if [ -n "$want_version" ] && [ "$want_version" != "$have_version" ]; then
			say "need: rustc-web $want_version: the sysroot needs it, not $have_version"
			install_packages "rustc-web=$want_version"
		fi
		;;
	esac
done
