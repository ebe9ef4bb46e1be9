# SPDX-License-Identifier: BSD-2-Clause
# Sourced after lib.sh: Debian's kernel for arm64, with its device trees, and a static busybox, in $linux.

# Not below a directory that `make clean` removes.
linux=$TARGET/linux-arm64

# stock_linux: both packages unpacked in $linux and never installed; mk/sysroot.sh has to have run.
stock_linux() {
	local apt=$TARGET/sysroot.apt/apt.conf log=$TARGET/linux-arm64.log image deb
	[ -e "$apt" ] || die "no $apt: remove target/sysroot to have it made again"
	# The newest 6.1: the package without a version depends on it.
	newest() { APT_CONFIG=$apt apt-cache depends linux-image-arm64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-6\.1\..*\)$/\1/p'; }
	image=$(newest)
	if [ "$(cat "$linux/.stamp" 2>/dev/null)" = "$image" ] && [ -n "$image" ]; then return; fi
	say "linux: downloading Debian's arm64 kernel and busybox (60 MB)"
	rm -rf "$linux.new"
	mkdir -p "$linux.new/debs"
	debs() { [ -n "$image" ] && (cd "$linux.new/debs" && APT_CONFIG=$apt apt-get -q download "$image" busybox-static) >>"$log" 2>&1; }
	if ! debs; then
		APT_CONFIG=$apt apt-get -q update >>"$log" 2>&1 || :
		image=$(newest)
		[ -n "$image" ] || die "no Linux 6.1 for arm64 in Debian's lists: see $log"
		debs || {
			tail -n 20 "$log" >&2
			die "cannot download $image and busybox-static"
		}
	fi
	for deb in "$linux.new"/debs/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner -C "$linux.new" -f -; done
	rm -rf "$linux.new/debs" "$linux"
	printf '%s\n' "$image" >"$linux.new/.stamp"
	mv "$linux.new" "$linux"
}
