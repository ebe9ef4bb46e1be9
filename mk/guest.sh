# SPDX-License-Identifier: BSD-2-Clause
# Shared by the scripts that run a guest in QEMU (crosscheck.sh, vmtest.sh): sourced after lib.sh,
# not run. What it takes of its caller: `out`, the directory of everything that comes out, and of a
# run `log`, the console's file, `ok`, and `bad`, 1 once anything was wrong.

# Not below $out, which `make clean` removes.
linux=$TARGET/linux-arm64
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
# installed.
stock_linux() {
	local apt=$TARGET/sysroot.apt/apt.conf image deb
	[ -e "$apt" ] || die "no $apt: remove target/sysroot to have it made again"
	# The newest 6.1: the package without a version depends on it.
	newest() {
		APT_CONFIG=$apt apt-cache depends linux-image-arm64 2>/dev/null |
			sed -n 's/^ *Depends: \(linux-image-6\.1\..*\)$/\1/p'
	}
	image=$(newest)
	if [ "$(cat "$linux/.stamp" 2>/dev/null)" = "$image" ] && [ -n "$image" ]; then return; fi
	say "guest: downloading Debian's arm64 kernel and busybox (60 MB)"
	rm -rf "$linux.new"
	mkdir -p "$linux.new/debs"
	debs() {
		[ -n "$image" ] &&
			(cd "$linux.new/debs" &&
				APT_CONFIG=$apt apt-get -q download "$image" busybox-static) \
				>>"$out/download.log" 2>&1
	}
	if ! debs; then
		APT_CONFIG=$apt apt-get -q update >>"$out/download.log" 2>&1 || :
		image=$(newest)
		[ -n "$image" ] ||
			die "no Linux 6.1 for arm64 in Debian's lists: see $out/download.log"
		debs || {
			tail -n 20 "$out/download.log" >&2
			die "cannot download $image and busybox-static"
		}
	fi
	for deb in "$linux.new"/debs/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner -C "$linux.new" -f -
	done
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
	for name in $(sed -n 's/^atf_test_program{name="\([^"]*\)".*/\1/p' tests/Kyuafile); do
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

# wrong WHY: the run at hand is not as it should be.
wrong() {
	say "  wrong: $*"
	bad=1
	ok=failed
}

# said PATTERN: a line of the run has it.
said() { grep -qE -- "$1" "$log" || wrong "nothing says $1"; }

# modelled N PATTERN: as complained, for the model's report.
modelled() {
	local n
	n=$(grep -cE -- "$2" "$log.model" || :)
	if [ "$n" != "$1" ]; then wrong "$n lines of the model's report, not $1, say $2"; fi
	grep -vE -- "$2" "$log.model" >"$log.rest" || :
	mv "$log.rest" "$log.model"
}

# renderer_of BOARD: GL_RENDERER, as a pattern.
renderer_of() {
	case $1 in
	rk3399) say 'Mali-T860 \(Panfrost\)' ;;
	imx8mq) say 'Vivante GC7000 rev 6214' ;;
	imx6q) say 'Vivante GC2000 rev 5108' ;;
	imx6qp) say 'Vivante GC3000 rev 5450' ;;
	mali-*) say "Mali-${1#mali-}( r1)? \\(Panfrost\\)" | tr tg TG ;;
	esac
}

# suite_result BOARD LIST: what the kyua cases of a run came to, into `passed` and `failed`: those
# that fail have to be in LIST.
suite_result() {
	sed -n 's/^case \([^ ]*\) \([a-z]*\).*/\1 \2/p' "$log" >"$log.cases"
	passed=$(grep -c ' passed$' "$log.cases" || :)
	failed=$(grep -cvE ' (passed|skipped)$' "$log.cases" || :)
	awk -v board="$1" '
		NR == FNR {
			if (/^#/ || NF < 3 || index("," $1 ",", "," board ",") == 0) next
			name = $2
			sub(/\*$/, board, name)
			listed[name] = $3
			next
		}
		{ seen[$1] = 1 }
		$2 != "passed" && $2 != "skipped" && !($1 in listed) {
			print "fails and is not listed: " $1 }
		$2 == "passed" && listed[$1] == "fails" { print "is listed and passes: " $1 }
		END { for (name in listed) if (!(name in seen))
			print "is listed and did not run: " name }
	' "$2" "$log.cases" >"$log.suite"
	if [ "$passed" = 0 ]; then wrong "no case passed"; fi
	if [ -s "$log.suite" ]; then wrong "$(cat "$log.suite")"; fi
	rm -f "$log".{cases,suite}
}
