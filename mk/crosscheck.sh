#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Debian's stock arm64 Linux, with its own panfrost.ko and etnaviv.ko and unmodified Mesa, on the GPU models in QEMU. Fails on a wrong
# renderer or pixel, on a line of the kernel's log that a boot must not have or has to have, and on what a model finds undefined.
# BOARDS="rk3399 ..." runs those only. Everything comes out in target/crosscheck/BOARD-RUN.{log,trace}; docs/crosscheck.md explains it.
# A driver that runs on silicon is the judge here: nothing of our own kernel code takes part.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

BOARDS=${BOARDS:-rk3399 imx8mq imx6q}
out=$TARGET/crosscheck
linux=$out/linux
bad=0

# need PKG PROGRAM WHY: installs PKG when PROGRAM is not here.
wanted=()
need() {
	if ! command -v "$2" >/dev/null; then
		say "need: $1: $3"
		wanted+=("$1")
	fi
}

# stock_linux: Debian's kernel and busybox for arm64, unpacked in target/crosscheck/linux and never installed.
stock_linux() {
	local apt=$TARGET/sysroot.apt/apt.conf image deb
	[ -e "$apt" ] || die "no $apt: remove target/sysroot to have it made again"
	# The newest 6.1: the package without a version depends on it.
	newest() { APT_CONFIG=$apt apt-cache depends linux-image-arm64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-6\.1\..*\)$/\1/p'; }
	image=$(newest)
	if [ "$(cat "$linux/.stamp" 2>/dev/null)" = "$image" ] && [ -n "$image" ]; then return; fi
	say "crosscheck: downloading Debian's arm64 kernel and busybox (60 MB)"
	rm -rf "$linux.new"
	mkdir -p "$linux.new/debs"
	if [ -z "$image" ] || ! (cd "$linux.new/debs" && APT_CONFIG=$apt apt-get -q download "$image" busybox-static) >"$out/download.log" 2>&1; then
		APT_CONFIG=$apt apt-get -q update >>"$out/download.log" 2>&1 || :
		image=$(newest)
		[ -n "$image" ] || die "no Linux 6.1 for arm64 in Debian's lists: see $out/download.log"
		(cd "$linux.new/debs" && APT_CONFIG=$apt apt-get -q download "$image" busybox-static) >>"$out/download.log" 2>&1 || {
			tail -n 20 "$out/download.log" >&2
			die "cannot download $image and busybox-static"
		}
	fi
	for deb in "$linux.new"/debs/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner -C "$linux.new" -f -; done
	rm -rf "$linux.new/debs" "$linux"
	printf '%s\n' "$image" >"$linux.new/.stamp"
	mv "$linux.new" "$linux"
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
			if [ -e "$SYSROOT/$libdir/$name" ]; then todo+=("$SYSROOT/$libdir/$name"); fi
		done
	done
}

libdir=usr/lib/aarch64-linux-gnu
# initramfs: what the guest runs from, as an archive that the kernel takes without unpacking anything.
initramfs() {
	local root=$out/root file name
	rm -rf "$root"
	mkdir -p "$root"/{bin,modules,crosscheck,usr/bin,usr/share,"$libdir/dri"}
	ln -s usr/lib "$root/lib"
	ln -s aarch64-linux-gnu/ld-linux-aarch64.so.1 "$root/usr/lib/ld-linux-aarch64.so.1"
	cp "$linux/bin/busybox" "$root/bin/"
	install -m 755 tests/qemu/guest/init "$root/init"
	cp tests/qemu/guest/*.sh "$root/crosscheck/"
	for name in fixed drm drm_shmem_helper gpu-sched panfrost etnaviv; do
		find "$linux/lib/modules" -name "$name.ko" -exec cp {} "$root/modules/" \;
		[ -e "$root/modules/$name.ko" ] || die "Debian's kernel has no module $name"
	done
	cp "$SYSROOT/usr/bin/eglinfo" "$ARM64/gles_clear" "$ARM64/share" "$root/usr/bin/"
	# GLVND loads Mesa's EGL by its name in a file, and that loads the driver: they are in no list of needed libraries.
	for file in $(closure "$root"/usr/bin/* "$SYSROOT/$libdir/libEGL_mesa.so.0" "$SYSROOT/$libdir/dri/panfrost_dri.so"); do
		case $file in "$SYSROOT"/*/lib*.so* | "$SYSROOT"/*/ld-*) cp -L "$file" "$root/$libdir/" ;; esac
	done
	cp -r "$SYSROOT/usr/share/glvnd" "$SYSROOT/usr/share/drirc.d" "$root/usr/share/"
	# One file that is all drivers; the archive keeps one copy.
	cp "$SYSROOT/$libdir/dri/panfrost_dri.so" "$root/$libdir/dri/"
	for name in etnaviv swrast kms_swrast; do ln "$root/$libdir/dri/panfrost_dri.so" "$root/$libdir/dri/${name}_dri.so"; done
	(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc --quiet) >"$out/initrd"
	rm -rf "$root"
}

# wrong WHY: the run at hand is not as it should be.
wrong() {
	say "  wrong: $*"
	bad=1
	ok=failed
}

# boot BOARD RUN SCRIPT STATUS [OPTION...]: one machine from power on to power off; the exit status of its script has to be STATUS.
boot() {
	local board=$1 run=$2 script=$3 expected=$4 status=0 modules=drm,drm_shmem_helper,gpu-sched,etnaviv began=$SECONDS
	shift 4
	case $board in rk3399 | mali-*) modules=fixed,drm,drm_shmem_helper,gpu-sched,panfrost ;; esac
	log=$out/$board-$run.log
	ok=ok
	"$TARGET/release/drmboard" vm --board "$board" --kernel "$image" --initrd "$out/initrd" --stats --trace "$out/$board-$run.trace" \
		--append "drmboard.modules=$modules drmboard.run=$script" --timeout 240 "$@" >"$log" 2>&1 || status=$?
	tr -d '\r' <"$log" >"$log.text" && mv "$log.text" "$log"
	took=$((SECONDS - began))
	if [ "$status" != "$expected" ]; then wrong "the guest ended with $status"; fi
	# The log with its levels, as `dmesg -r` printed it, without what a boot says that has nothing to do with us.
	sed -n '/^guest: dmesg$/,/^guest: end/p' "$log" | sed -n 's/^<\([0-9]*\)>\[ *[0-9.]*\] /<\1> /p' >"$log.dmesg"
	grep -E '^<[0-4]> |WARNING|BUG|Oops|Call trace|stall|hung' "$log.dmesg" |
		grep -vE 'pci-host-generic .*: Memory resource size exceeds max for 32 bits' >"$log.bad" || :
	# Of a model's lines, those after the first tell what hardware leaves undefined, and faults.
	grep '^model ' "$log" | grep -vE '^model [^ ]+ (chains|events)=' >"$log.model" || :
}

# said PATTERN: a line of the run has it.
said() { grep -qE -- "$1" "$log" || wrong "nothing says $1"; }

# complained N PATTERN: exactly N of the log's warnings and errors have it; they are accounted for.
complained() {
	local n
	n=$(grep -cE -- "$2" "$log.bad" || :)
	if [ "$n" != "$1" ]; then wrong "$n lines of the kernel's log, not $1, say $2"; fi
	grep -vE -- "$2" "$log.bad" >"$log.rest" || :
	mv "$log.rest" "$log.bad"
}

# modelled N PATTERN: as complained, of what the model told.
modelled() {
	local n
	n=$(grep -cE -- "$2" "$log.model" || :)
	if [ "$n" != "$1" ]; then wrong "$n lines of the model's report, not $1, say $2"; fi
	grep -vE -- "$2" "$log.model" >"$log.rest" || :
	mv "$log.rest" "$log.model"
}

# verdict BOARD RUN: nothing may be left over.
verdict() {
	local renderer frames
	if [ -s "$log.bad" ]; then wrong "the kernel's log: $(cat "$log.bad")"; fi
	if [ -s "$log.model" ]; then wrong "the model: $(cat "$log.model")"; fi
	renderer=$(sed -n 's/^gles_clear: renderer: //p' "$log" | tail -n 1)
	frames=$(sed -n 's/^gles_clear: frames \([0-9]*\) ok$/\1/p' "$log" | tail -n 1)
	printf '%-8s %-8s %-24s %6s %5s s  %s\n' "$1" "$2" "${renderer:--}" "${frames:--}" "$took" "$ok"
	if [ "$ok" != ok ]; then tail -n 15 "$log" | sed 's/^/    /'; fi
	rm -f "$log".{dmesg,bad,model,rest}
}

# expected BOARD: what is the same in every run of a board.
renderer_of() {
	case $1 in
	rk3399) say 'Mali-T860 \(Panfrost\)' ;;
	imx8mq) say 'Vivante GC7000 rev 6214' ;;
	imx6q) say 'Vivante GC2000 rev 5108' ;;
	*) say '.' ;;
	esac
}

check() {
	local board=$1 name timeout
	name=$(renderer_of "$board")
	boot "$board" clients clients.sh 0
	said "^gles_clear: renderer: $name\$"
	said '^gles_clear: frames 15 ok$'
	said '^again: frames 15 ok$'
	said '^reloaded: frames 15 ok$'
	said '^share: share 333x77 ok$'
	said "^eglinfo: EGL driver name: $(case $board in imx*) say etnaviv ;; *) say panfrost ;; esac)\$"
	verdict "$board" clients
}

mk/build.sh
need qemu-system-arm qemu-system-aarch64 "the machine"
need device-tree-compiler dtc "makes its device tree"
need cpio cpio "makes its initramfs"
need binutils readelf "finds the libraries of a program"
if [ "${#wanted[@]}" -gt 0 ]; then install_packages "${wanted[@]}"; fi
mkdir -p "$out"
say "build: the library for QEMU"
cargo build -q --release -p qemu_board
stock_linux
initramfs
image=$(echo "$linux"/boot/vmlinuz-6.1.*)
say "crosscheck: ${image##*/vmlinuz-}, $(qemu-system-aarch64 --version | head -n 1)"
printf '\n%-8s %-8s %-24s %6s %7s  %s\n' board run renderer frames time result
for board in $BOARDS; do check "$board"; done
exit "$bad"
