#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# fresh.sh [TARGET...]: a new user's first steps. Makes a bare Debian 12 (debootstrap's minbase with
# git, make and ca-certificates) in target/fresh, clones the last commit into it, and runs `make
# TARGET` there for each TARGET (demo test), the first that fails ending it. FRESH=DIR names another
# place. The root is new each time; the packages that debootstrap took are kept in
# target/fresh.debs. Copied from this machine at run time, as it may use a proxy or a mirror:
# Debian's package sources and their keys, what apt says of proxies, resolv.conf, the CA
# certificates, cargo's configuration.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

targets=("$@")
if [ "$#" = 0 ]; then targets=(demo test); fi
root=$(realpath -m "${FRESH:-$TARGET/fresh}")
log=$TARGET/fresh.log
suite=bookworm

# In a mount namespace of its own, which takes all that is mounted below the root with it.
if [ "${DRMKPI_FRESH_INSIDE:-}" != 1 ]; then
	may_mount
	[ "$(id -u)" = 0 ] || die "a chroot takes root"
	free=$(df --output=avail -BG "$TARGET" | tail -n 1 | tr -dc 0-9)
	[ "$free" -ge 14 ] || die "$free GB free below $TARGET, and demo and test take 12"
	mk/need.sh fresh
	DRMKPI_FRESH_INSIDE=1 exec unshare --mount --pid --fork --kill-child --propagation private \
		"$0" "${targets[@]}"
fi

# debian_sources DIR: the machine's package sources as far as they are Debian's, and their keys, as
# DIR/etc/apt has them.
debian_sources() {
	local file key
	mkdir -p "$1/etc/apt/sources.list.d" "$1/etc/apt/keyrings" "$1/usr/share/keyrings"
	: >"$1/etc/apt/sources.list"
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		if [ -e "$file" ]; then
			grep -E '^deb[[:space:]].*/debian(-security)?/?[[:space:]]' "$file" \
				>>"$1/etc/apt/sources.list" || :
		fi
	done
	for file in /etc/apt/sources.list.d/*.sources; do
		if [ -e "$file" ]; then
			grep -v '^#' "$file" |
				awk -v RS= -v ORS='\n\n' \
				'/URIs:[^\n]*\/debian(-security)?\/*(\n|$)/' \
				>"$1/etc/apt/sources.list.d/${file##*/}"
		fi
	done
	for key in /etc/apt/keyrings /usr/share/keyrings /etc/apt/trusted.gpg.d; do
		if [ -d "$key" ]; then cp -r "$key/." "$1$key/"; fi
	done
	apt-config dump | grep -E '^Acquire::' |
		grep -vE '^Acquire::(IndexTargets|Languages)|""; *$|::;' \
		>"$1/etc/apt/apt.conf.d/90machine" || :
}

# certificates DIR: those that this machine trusts.
certificates() {
	mkdir -p "$1/etc/ssl/certs" "$1/usr/local/share/ca-certificates"
	cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
	if [ -d /usr/local/share/ca-certificates ]; then
		cp -rL /usr/local/share/ca-certificates/. "$1/usr/local/share/ca-certificates/"
	fi
}

say "fresh: a bare Debian 12 in $root (about 60 MB to download; its log is $log)"
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v '^#' |
	grep -oE '[a-z+]+://[^ ]*/debian/?( |$)' |
	awk 'NR == 1 { print $1 }') || :
[ -n "$mirror" ] || die "no mirror of Debian's in /etc/apt"
rm -rf --one-file-system "$root"
mkdir -p "$root" "$TARGET/fresh.debs"
# A chroot whose root is a mount: the mounts of a board are kept private from there on.
mount --bind "$root" "$root"
debootstrap --variant=minbase --include=git,make,ca-certificates --cache-dir="$TARGET/fresh.debs" \
	"$suite" "$root" "$mirror" >"$log" 2>&1 || {
	tail -n 20 "$log" >&2
	die "debootstrap failed"
}
debian_sources "$root"
certificates "$root"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
for file in config.toml config; do
	if [ -e "${CARGO_HOME:-$HOME/.cargo}/$file" ]; then
		mkdir -p "$root/root/.cargo"
		cp -L "${CARGO_HOME:-$HOME/.cargo}/$file" "$root/root/.cargo/$file"
	fi
done
git clone -q --no-hardlinks "file://$TOP" "$root/srv/drmkpi"
git -C "$root/srv/drmkpi" log -1 --format='fresh: commit %h %s'
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"

for target in "${targets[@]}"; do
	say "fresh: make $target"
	start=$SECONDS
	chroot "$root" /usr/bin/env -i HOME=/root \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
		LANG=C.UTF-8 \
		CARGO_TERM_COLOR=never make -C /srv/drmkpi --no-print-directory "$target" ||
		die "make $target fails in the bare Debian 12"
	say "fresh: make $target: ok after $(((SECONDS - start) / 60)) min; $(du -sxm \
		--exclude=./proc "$root" 2>/dev/null | cut -f 1) MB in $root"
done
made "a bare Debian 12 in which make ${targets[*]} passed, in $root" "rm -rf $root"
