# SPDX-License-Identifier: BSD-2-Clause
# Shared by the scripts of mk/: sourced, not run. It sets TOP and TARGET and changes to TOP. All
# generated files go below TARGET; the only thing done to the live system is `need` installing
# Debian packages.

TOP=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
TARGET=${DRMKPI_TARGET:-$TOP/target}
# What arm64 programs are built against, and the root that they run in, which may be that of a newer
# Debian.
SYSROOT=$TARGET/sysroot
RUNROOT=${DRMBOARD_SYSROOT:-$SYSROOT}
QEMU=$TARGET/qemu/qemu-aarch64
ARM64=$TARGET/arm64/aarch64-unknown-linux-gnu/release
export CARGO_TARGET_DIR=$TARGET
cd -- "$TOP" || exit
mkdir -p "$TARGET"

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# xtask COMMAND...: what judges, built when it is needed.
xtask() { cargo run -q -p xtask -- "$@"; }

# suite_programs: the names of the kyua suite's programs.
suite_programs() { sed -n 's/^atf_test_program{name="\([^"]*\)".*/\1/p' tests/Kyuafile; }

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

# apt LOG ARGS...: apt-get ARGS as root, its output into LOG. Another apt-get that runs is waited
# for: DPkg::Lock::Timeout covers dpkg's lock only, and not those of the lists and of the downloads.
apt() {
	local log=$1 n
	for ((n = 0; n < 120; n++)); do
		if as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o \
			DPkg::Lock::Timeout=600 "${@:2}" >"$log" 2>&1; then
			return 0
		fi
		grep -qE 'Could not get lock|Unable to (acquire|lock)' "$log" || return 1
		if [ "$n" = 0 ]; then
			say "need: another apt-get runs: waiting at most 10 minutes for its lock"
		fi
		sleep 5
	done
	return 1
}

# install_packages PKG...: apt-get install, after saying what that comes to; the package lists are
# fetched when this machine knows none or a first try fails.
install_packages() {
	local install=(--no-install-recommends install "$@")
	if ! apt-cache show "${@%%=*}" >/dev/null 2>&1; then update_lists; fi
	# It ends with an error when it would have asked.
	apt "$TARGET/apt.log" --assume-no "${install[@]}" || :
	awk '
		/ newly installed/ { for (n = 2; n <= NF; n++) if ($n ~ /^newly/) new = $(n - 1) }
		/^Need to get / {
			sub(/^Need to get /, ""); sub(/ of archives.*/, ""); sub(/^.*\//, "")
			get = $0
		}
		/^After this operation/ {
			sub(/^After this operation, /, ""); sub(/ of additional.*/, "")
			disk = $0
		}
		END {
			if (new > 0 && get != "" && disk != "") {
				printf "need: apt-get installs %s packages into this system: ", new
				printf "%s to download, %s on disk\n", get, disk
			}
		}
	' "$TARGET/apt.log"
	if ! apt "$TARGET/apt.log" "${install[@]}"; then
		update_lists
		apt "$TARGET/apt.log" "${install[@]}" || {
			tail -n 20 "$TARGET/apt.log" >&2
			die "cannot install: $*"
		}
	fi
}

update_lists() {
	say "need: apt-get update"
	apt "$TARGET/apt.log" update || say "need: some package source failed, see $TARGET/apt.log"
}

# may_mount: fails unless this process can make a mount namespace and mount in it, which is how a
# program gets its private /dev/dri; asked before anything is downloaded.
may_mount() {
	if unshare --mount --propagation private true 2>/dev/null; then return; fi
	if [ "$(id -u)" != 0 ]; then
		die "a program gets a private /dev/dri by a mount namespace: run as root"
	fi
	if [ -r /proc/self/mountinfo ] && ! cut -d ' ' -f 5 /proc/self/mountinfo | grep -qx /; then
		die "the root directory is not a mount point, so no mount can be private:" \
			"before chroot DIR, do mount --bind DIR DIR"
	fi
	die "no right to mount (CAP_SYS_ADMIN), as in an unprivileged container: $(unshare --mount \
		--propagation private true 2>&1)"
}

# made WHAT NEXT...: the last lines of a target: what it made, how large target/ is by now, and what
# to do next.
made() {
	say ""
	say "made: $1 (target/ has $(du -sxm "$TARGET" | awk '{ printf "%.1f GB", $1 / 1024 }'))"
	for line in "${@:2}"; do say "next: $line"; done
}
