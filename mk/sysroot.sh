#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Makes target/sysroot: Debian's arm64 Mesa, its clients and what linking arm64 programs takes, unpacked and never installed.
# An apt of its own (state, cache and an empty dpkg status below target/) finds the dependency closure, so the live system's dpkg
# and architectures stay as they are. Package sources, keyrings and proxy settings are those of the live system's /etc/apt.
# EXTRA="PACKAGE ..." adds packages; target/sysroot.extra remembers them until it is removed.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

PACKAGES="libgl1-mesa-dri libegl1 libgles2 libgbm1 libegl-mesa0 libgl1 libwayland-egl1
	mesa-utils-bin mesa-utils weston glmark2-es2-wayland glmark2-data libdrm-tests
	libc6-dev libgcc-12-dev linux-libc-dev libegl-dev libgles-dev libgbm-dev libdrm-dev libstd-rust-web-dev"

extra=$TARGET/sysroot.extra
# shellcheck disable=SC2086 # the list is words
EXTRA=$({ cat "$extra" 2>/dev/null; printf '%s\n' ${EXTRA:-}; } | sort -u | xargs)
if [ -n "$EXTRA" ]; then PACKAGES+=" $EXTRA"; fi

# Goes up when the unpacking below changes what a sysroot looks like.
LAYOUT=1

stamp=$TARGET/sysroot/.stamp
key=$(printf '%s %s' "$LAYOUT" "$PACKAGES" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then
	exit 0
fi

root=$TARGET/sysroot.apt
new=$TARGET/sysroot.new
say "sysroot: arm64 packages for target/sysroot (once; about 150 MB to download, 1.2 GB on disk)"
mkdir -p "$root/state/lists/partial" "$root/cache/archives/partial" "$root/parts"
: >"$root/status"
{
	# What the live system says about proxies, retries and the like; its hooks and clean-up rules are left behind.
	apt-config dump | grep -E '^Acquire::' | grep -vE '^Acquire::(IndexTargets|Languages)|""; *$|::;' || :
	cat <<CONF
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
} >"$root/apt.conf"
export APT_CONFIG=$root/apt.conf

say "sysroot: apt-get update (private lists)"
apt-get -q update >"$root/update.log" 2>&1 || say "sysroot: some package source failed, see $root/update.log"
# shellcheck disable=SC2086 # the list is words
apt-get -s install $PACKAGES >"$root/plan" 2>&1 || {
	cat "$root/plan" >&2
	die "no dependency closure: see $root/update.log"
}
# "Inst NAME (VERSION SUITE [ARCH])" becomes the name of the file in apt's cache, where a colon is written %3a.
sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*\[\(.*\)\]).*/\1_\2_\3.deb/p' "$root/plan" | sed 's/:/%3a/g' >"$root/debs"
count=$(wc -l <"$root/debs")
say "sysroot: downloading $count packages"
# shellcheck disable=SC2086
apt-get -q -y --download-only install $PACKAGES >"$root/install.log" 2>&1 || {
	tail -n 20 "$root/install.log" >&2
	die "download failed"
}

rm -rf "$new"
# Debian 12 has one tree under /usr; packages still name /lib and /bin.
mkdir -p "$new"/usr/{bin,sbin,lib}
for d in bin sbin lib; do ln -s "usr/$d" "$new/$d"; done
n=0
while read -r deb; do
	dpkg-deb --fsys-tarfile "$root/cache/archives/$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$new" -f -
	n=$((n + 1))
	if [ $((n % 20)) = 0 ]; then say "sysroot: $n/$count packages"; fi
done <"$root/debs"
[ "$n" -gt 0 ] || die "no package was unpacked"

# An absolute link would lead out of the sysroot, both for the cross linker and for qemu-user's -L.
find "$new" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
	to=$(readlink "$link")
	if [ -e "$new$to" ]; then ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$new$to")" "$link"; fi
done
printf '%s\n' "$key" >"$new/.stamp"
rm -rf "$TARGET/sysroot"
mv "$new" "$TARGET/sysroot"
if [ -n "$EXTRA" ]; then printf '%s\n' "$EXTRA" >"$extra"; fi
say "sysroot: done: $n packages, $(du -sm "$TARGET/sysroot" | cut -f1) MB"
