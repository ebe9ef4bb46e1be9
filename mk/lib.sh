# SPDX-License-Identifier: BSD-2-Clause
# Shared by the scripts of mk/: sourced, not run. It sets TOP and TARGET and changes to TOP.
# All generated files go below TARGET; the only thing done to the live system is `need` installing Debian packages.

TOP=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
TARGET=${DRMKPI_TARGET:-$TOP/target}
# What arm64 programs are built against, and the root that they run in, which may be that of a newer Debian.
SYSROOT=$TARGET/sysroot
RUNROOT=${DRMBOARD_SYSROOT:-$SYSROOT}
QEMU=$TARGET/qemu/qemu-aarch64
ARM64=$TARGET/arm64/aarch64-unknown-linux-gnu/release
export CARGO_TARGET_DIR=$TARGET
cd -- "$TOP"
mkdir -p "$TARGET"

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# suite_root SUITE: where the programs of a Debian suite are; see sysroot.sh.
suite_root() { case $1 in bookworm) printf '%s' "$SYSROOT" ;; *) printf '%s' "$SYSROOT-$1" ;; esac }

# as_root CMD...: CMD with the rights that installing a package takes.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "needs root (or sudo) to run: $*"
	fi
}

# have_package PKG: true when dpkg has it installed.
have_package() { [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null)" = 'ii ' ]; }

# install_packages PKG...: apt-get install; the package lists are fetched when this machine knows none or a first try fails.
install_packages() {
	local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends)
	if ! apt-cache show "${@%%=*}" >/dev/null 2>&1 || ! as_root "${apt[@]}" install "$@" >"$TARGET/apt.log" 2>&1; then
		say "need: apt-get update"
		as_root "${apt[@]}" update >"$TARGET/apt.log" 2>&1 || say "need: some package source failed, see $TARGET/apt.log"
		as_root "${apt[@]}" install "$@" >>"$TARGET/apt.log" 2>&1 || {
			tail -n 20 "$TARGET/apt.log" >&2
			die "cannot install: $*"
		}
	fi
}
