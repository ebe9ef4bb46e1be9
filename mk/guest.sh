# SPDX-License-Identifier: BSD-2-Clause
# Shared by the scripts that run a guest in QEMU (crosscheck.sh, vmtest.sh): sourced after lib.sh,
# not run. What it takes of its caller: `out`, the directory of everything that comes out.

# A release of Debian whose kernel is taken in place of Debian 12's Linux 6.1.
LINUX=${LINUX:-}
# Not below $out, which `make clean` removes.
linux=$TARGET/linux-arm64${LINUX:+-$LINUX}
libdir=usr/lib/aarch64-linux-gnu

# need PKG PROGRAM WHY: installs PKG when PROGRAM is not here.
wanted=()
need() {
	if ! command -v "$2" >/dev/null; then
		say "need: $1: $3"
		wanted+=("$1")
	fi
}

# stock_linux: Debian's kernel and busybox for arm64, unpacked in target/linux-arm64 and never
# installed. Of another release, the lists of packages are those of target/sysroot-RELEASE.
stock_linux() {
	local apt=$TARGET/sysroot${LINUX:+-$LINUX}.apt/apt.conf version='6\.1\.' image deb
	if [ -n "$LINUX" ]; then
		mk/sysroot.sh "$LINUX"
		version='[0-9]'
	fi
	[ -e "$apt" ] || die "no $apt: remove target/sysroot to have it made again"
	# The newest one: the package without a version depends on it.
	newest() {
		APT_CONFIG=$apt apt-cache depends linux-image-arm64 2>/dev/null |
			sed -n "s/^ *Depends: \\(linux-image-$version.*\\)$/\\1/p"
	}
	# Newer releases have the kernel and its modules in packages of their own.
	parts() {
		APT_CONFIG=$apt apt-cache depends "$image" 2>/dev/null |
			sed -n 's/^ *Depends: \(linux-\(binary\|modules\)-[0-9].*\)$/\1/p'
	}
	image=$(newest)
	if [ "$(cat "$linux/.stamp" 2>/dev/null)" = "$image" ] && [ -n "$image" ]; then return; fi
	say "guest: downloading Debian's arm64 kernel and busybox (60 MB)"
	rm -rf "$linux.new"
	mkdir -p "$linux.new/debs"
	debs() {
		local names
		[ -n "$image" ] || return 1
		mapfile -t names < <(parts)
		(cd "$linux.new/debs" &&
			APT_CONFIG=$apt apt-get -q download "$image" "${names[@]}" \
				busybox-static) >>"$out/download.log" 2>&1
	}
	if ! debs; then
		APT_CONFIG=$apt apt-get -q update >>"$out/download.log" 2>&1 || :
		image=$(newest)
		[ -n "$image" ] ||
			die "no kernel for arm64 in Debian's lists: see $out/download.log"
		debs || {
			tail -n 20 "$out/download.log" >&2
			die "cannot download $image and busybox-static"
		}
	fi
	for deb in "$linux.new"/debs/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner -C "$linux.new" -f -
	done
	# As in Debian 12's packages: the kernel in boot/, the modules in lib/modules/.
	mkdir -p "$linux.new"/{bin,boot,lib/modules}
	if [ -e "$linux.new/usr/bin/busybox" ]; then
		mv "$linux.new/usr/bin/busybox" "$linux.new/bin/"
	fi
	for deb in "$linux.new"/usr/lib/modules/*/; do
		if [ -e "$deb/vmlinuz" ]; then
			mv "$deb/vmlinuz" "$linux.new/boot/vmlinuz-$(basename "$deb")"
		fi
		if [ -d "$deb" ]; then mv "$deb" "$linux.new/lib/modules/"; fi
	done
	rm -rf "$linux.new/debs" "$linux"
	printf '%s\n' "$image" >"$linux.new/.stamp"
	mv "$linux.new" "$linux"
}

# kernel_modules DIRECTORY MODULE...: copies the modules and those that they depend on; prints their
# names in the order in which they are loaded, with commas.
kernel_modules() {
	local directory=$1 file name order=()
	shift
	# with_needed MODULE: those that it depends on come first.
	with_needed() {
		case " ${order[*]-} " in *" $1 "*) return ;; esac
		file=$(find "$linux/lib/modules" -name "$1.ko*" | head -n 1)
		[ -n "$file" ] || die "Debian's kernel has no module $1"
		case $file in
		*.xz) xz -dc "$file" >"$directory/$1.ko" ;;
		*) cp "$file" "$directory/$1.ko" ;;
		esac
		for name in $(readelf -p .modinfo "$directory/$1.ko" |
			sed -n 's/.*\<depends=//p' | tr , ' '); do
			with_needed "$name"
		done
		order+=("$1")
	}
	for name in "$@"; do with_needed "$name"; done
	(IFS=, && printf '%s\n' "${order[*]}")
}

# closure FILE...: the files and all libraries of the sysroot that they need.
closure() {
	local -A seen=()
	local todo=("$@") file name
	while [ "${#todo[@]}" -gt 0 ]; do
		file=${todo[0]}
		todo=("${todo[@]:1}")
		if [ -n "${seen[$file]:-}" ]; then continue; fi
		seen[$file]=1
		printf '%s\n' "$file"
		for name in $(readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
			if [ -e "$SYSROOT/$libdir/$name" ]; then
				todo+=("$SYSROOT/$libdir/$name")
			fi
		done
	done
}

# linux_programs ROOT: Debian's arm64 busybox and Mesa, our arm64 clients and the suite, as a guest
# has them in its root.
linux_programs() {
	local file name
	mkdir -p "$1"/{bin,suite,usr/bin,usr/share,"$libdir/dri"}
	ln -s usr/lib "$1/lib"
	ln -s aarch64-linux-gnu/ld-linux-aarch64.so.1 "$1/usr/lib/ld-linux-aarch64.so.1"
	cp "$linux/bin/busybox" "$1/bin/"
	cp "$SYSROOT/usr/bin/eglinfo" "$ARM64/gles_clear" "$ARM64/share" "$ARM64/lend" \
		"$ARM64/submits" "$ARM64/signals" "$1/usr/bin/"
	# Cases that start programs of the host, or need many of them, are not for the guest.
	for name in $(suite_programs); do
		case $name in atf_selftest | clients_test | crowd_test | libdrm_*) continue ;; esac
		cp "$ARM64/$name" "$1/suite/"
	done
	# GLVND loads Mesa's EGL by its name in a file, and that loads the driver: they are in no
	# list of needed libraries.
	for file in $(closure "$1"/usr/bin/* "$SYSROOT/$libdir/libEGL_mesa.so.0" \
		"$SYSROOT/$libdir/dri/panfrost_dri.so"); do
		case $file in
		"$SYSROOT"/*/lib*.so* | "$SYSROOT"/*/ld-*) cp -L "$file" "$1/$libdir/" ;;
		esac
	done
	cp -r "$SYSROOT/usr/share/glvnd" "$SYSROOT/usr/share/drirc.d" "$1/usr/share/"
	# One file that is all drivers; the archive keeps one copy.
	cp "$SYSROOT/$libdir/dri/panfrost_dri.so" "$1/$libdir/dri/"
	for name in etnaviv swrast kms_swrast; do
		ln "$1/$libdir/dri/panfrost_dri.so" "$1/$libdir/dri/${name}_dri.so"
	done
}
