#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# sysroot.sh [SUITE...]: Debian's arm64 Mesa and its clients, unpacked below target/ and never
# installed. Without a suite: target/sysroot, of this machine's own release and with what linking
# arm64 programs takes; the build uses it, and clients run on it. With suites (trixie, sid):
# target/sysroot-SUITE for each, in which newer clients and a newer Mesa run. An apt of its own for
# each (state, cache and an empty dpkg status below target/) finds the dependency closure, so the
# live system's dpkg and architectures stay as they are. Mirrors, keyrings and proxy settings are
# those of the live system's /etc/apt. EXTRA="PACKAGE ..." adds packages to each;
# target/sysroot.extra remembers them until it is removed.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

RUN="libgl1-mesa-dri libegl1 libgles2 libgbm1 libegl-mesa0 libgl1 libwayland-egl1
	mesa-utils-bin mesa-utils weston glmark2-es2-wayland glmark2-data libdrm-tests
	xwayland x11-xkb-utils xkb-data"
BUILD="libc6-dev libgcc-12-dev linux-libc-dev libegl-dev libgles-dev libgbm-dev libdrm-dev"
BUILD+=" libstd-rust-web-dev"
extra=$TARGET/sysroot.extra
# shellcheck disable=SC2086 # the list is words
EXTRA=$({ cat "$extra" 2>/dev/null; printf '%s\n' ${EXTRA:-}; } | sort -u | xargs)
if [ -n "$EXTRA" ]; then RUN+=" $EXTRA"; fi
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Goes up when the unpacking below changes what a sysroot looks like.
LAYOUT=1

# mirror: where the live system has Debian's main archive, as opposed to that of its security
# updates.
mirror() {
	local file
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		if [ -e "$file" ]; then
			sed -n 's/^deb[[:space:]]\+\(\[[^]]*\] *\)\?\([^ ]*\/debian\/*\) .*/\2/p' \
				"$file"
		fi
	done
	for file in /etc/apt/sources.list.d/*.sources; do
		if [ -e "$file" ]; then
			sed -n 's/^URIs:[[:space:]]*\([^ ]*\/debian\/*\)$/\1/p' "$file"
		fi
	done
}

# sysroot NAME SUITE PACKAGE...: makes target/NAME; no SUITE is the live system's package sources.
sysroot() {
	local name=$1 suite=$2 root=$TARGET/$1.apt new=$TARGET/$1.new stamp=$TARGET/$1/.stamp
	shift 2
	local key uri count n=0 deb link to d
	key=$(printf '%s %s %s' "$LAYOUT" "$suite" "$*" | sha256sum | cut -d' ' -f1)
	if [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then
		return
	fi
	say "sysroot: arm64 packages for target/$name: 150 to 170 MB, 1.2 GB on disk, once"
	mkdir -p "$root/state/lists/partial" "$root/cache/archives/partial" "$root/parts"
	: >"$root/status"
	{
		# The live system's settings of proxies, retries and others, without its hooks and
		# clean-up rules.
		apt-config dump | grep -E '^Acquire::' |
			grep -vE '^Acquire::(IndexTargets|Languages)|""; *$|::;' || :
		cat <<-CONF
			APT::Architecture "arm64";
			APT::Architectures { "arm64"; };
			APT::Sandbox::User "root";
			APT::Install-Recommends "false";
			Acquire::Languages "none";
			Dir::State "$root/state";
			Dir::State::status "$root/status";
			Dir::Cache "$root/cache";
			Dir::Etc::parts "$root/parts";
			Dir::Etc::main "/dev/null";
		CONF
		if [ -n "$suite" ]; then
			printf 'Dir::Etc::sourcelist "%s";\nDir::Etc::sourceparts "/dev/null";\n' \
				"$root/sources.list"
		fi
	} >"$root/apt.conf"
	if [ -n "$suite" ]; then
		uri=$(mirror | head -n 1)
		[ -n "$uri" ] || die "no mirror of Debian in /etc/apt to take $suite from"
		printf 'deb [signed-by=%s] %s %s main\n' "$KEYRING" "$uri" "$suite" \
			>"$root/sources.list"
	fi
	local -x APT_CONFIG=$root/apt.conf

	say "sysroot: apt-get update (private lists)"
	apt-get -q update >"$root/update.log" 2>&1 ||
		say "sysroot: some package source failed, see $root/update.log"
	apt-get -s install "$@" >"$root/plan" 2>&1 || {
		cat "$root/plan" >&2
		die "no dependency closure: see $root/update.log"
	}
	# "Inst NAME (VERSION SUITE [ARCH])" becomes the name of the file in apt's cache, where a
	# colon is written %3a.
	sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*\[\(.*\)\]).*/\1_\2_\3.deb/p' "$root/plan" |
		sed 's/:/%3a/g' >"$root/debs"
	count=$(wc -l <"$root/debs")
	say "sysroot: downloading $count packages"
	apt-get -q -y --download-only install "$@" >"$root/install.log" 2>&1 || {
		tail -n 20 "$root/install.log" >&2
		die "download failed"
	}

	rm -rf "$new"
	# Debian has had one tree under /usr since 12; packages still name /lib and /bin.
	mkdir -p "$new"/usr/{bin,sbin,lib}
	for d in bin sbin lib; do ln -s "usr/$d" "$new/$d"; done
	while read -r deb; do
		dpkg-deb --fsys-tarfile "$root/cache/archives/$deb" |
			tar -x --keep-directory-symlink --no-same-owner -C "$new" -f -
		n=$((n + 1))
		if [ $((n % 20)) = 0 ]; then say "sysroot: $n/$count packages"; fi
	done <"$root/debs"
	[ "$n" -gt 0 ] || die "no package was unpacked"

	# An absolute link would lead out of the sysroot, both for the cross linker and for
	# qemu-user's -L.
	find "$new" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
		to=$(readlink "$link")
		if [ -e "$new$to" ]; then
			ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$new$to")" \
				"$link"
		fi
	done
	printf '%s\n' "$key" >"$new/.stamp"
	rm -rf "${TARGET:?}/$name"
	mv "$new" "$TARGET/$name"
	say "sysroot: target/$name: $n packages, $(du -sm "$TARGET/$name" | cut -f1) MB"
}

# shellcheck disable=SC2086 # the lists are words
if [ "$#" = 0 ]; then
	sysroot sysroot "" $RUN $BUILD
else
	for suite in "$@"; do
		case $suite in
		bookworm) sysroot sysroot "" $RUN $BUILD ;;
		*) sysroot "sysroot-$suite" "$suite" $RUN ;;
		esac
	done
fi
if [ -n "$EXTRA" ]; then printf '%s\n' "$EXTRA" >"$extra"; fi
