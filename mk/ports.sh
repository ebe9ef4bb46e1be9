#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# ports/graphics/libdrm: the patch applies to libdrm as Debian has it and to a newer one, and
# libdrm's FreeBSD branches then find the GPUs of a table of nodes and sysctls
# (tests/inproc/libdrm), which without the patch they do not. Prints a line for each check and fails
# when one fails; a version that cannot be had is skipped. LIBDRM=DIRECTORY: that source as well.
# Everything is in target/ports.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$TOP/mk/source.sh"

out=$TARGET/ports
patches=$TOP/ports/graphics/libdrm/files
fake=$TOP/tests/inproc/libdrm
bad=0

# What goes wrong in a libdrm that is not patched; the other cases are of what already worked.
news="platform_gpu device_of_a_file mixed_gpus no_render_node unpaired_gpu"

fail() {
	say "ports: $1: FAILED: $2"
	bad=1
}

# built DIRECTORY: its libdrm as on FreeBSD, and tests/inproc/libdrm, in DIRECTORY/devices.
built() (
	cd "$1" || exit
	# Debian's Python, whatever else is called python3 here.
	/usr/bin/python3 gen_table_fourcc.py include/drm/drm_fourcc.h \
		generated_static_table_fourcc.h &&
		cc -std=gnu11 -g -w -D_GNU_SOURCE -fsanitize=address,undefined \
			-fno-sanitize-recover=undefined -include "$fake/fake.h" \
			-I "$fake/include" -I "$fake" -I . -I include/drm \
			xf86drm.c xf86drmHash.c xf86drmRandom.c xf86drmMode.c \
			"$fake"/*.c -lm -o devices
)

# check SOURCE: a directory of a libdrm.
check() {
	local version name dir=$out/work
	version=$(sed -n "s/^ *version *: *'\(2\.[0-9.]*\)',.*/\1/p" "$1/meson.build" | head -n 1)
	name="libdrm $version"
	rm -rf "$dir"
	mkdir -p "$dir"
	cp -R "$1" "$dir/stock"
	cp -R "$1" "$dir/patched"
	if ! built "$dir/stock" >"$out/log" 2>&1; then
		fail "$name" "it does not build: $(tail -n 3 "$out/log")"
		return
	fi
	ASAN_OPTIONS=detect_leaks=0 "$dir/stock/devices" >"$out/stock" 2>&1 || :
	# The ports tree applies them so, and takes an offset for no reason to complain.
	for file in "$patches"/patch-*; do
		if ! patch -s -d "$dir/patched" -p0 --fuzz=0 <"$file" >"$out/log" 2>&1; then
			fail "$name" "${file##*/} does not apply: $(head -n 3 "$out/log")"
			return
		fi
	done
	if ! built "$dir/patched" >"$out/log" 2>&1; then
		fail "$name, patched" "it does not build: $(tail -n 3 "$out/log")"
		return
	fi
	"$dir/patched/devices" >"$out/patched" 2>&1 || grep -qE ': FAILED: ' "$out/patched" ||
		fail "$name, patched" "$(grep -m 1 -E 'ERROR|runtime error' "$out/patched")"
	sed -n "s/^[a-z_]*: \(ok\|FAILED: .*\)\$/ports: $name, patched: &/p" "$out/patched"
	if grep -q ': FAILED: ' "$out/patched"; then bad=1; fi
	if [ "$(sed -n 's/^\([a-z_]*\): FAILED: .*/\1/p' "$out/stock" | tr '\n' ' ')" = "$news " \
		]; then
		say "ports: $name finds only PCI without the patch: ok"
	else
		fail "$name without the patch" \
			"other cases fail than those that the patch is for: $(tr '\n' ' ' \
			<"$out/stock")"
	fi
}

# had ROOT SUITE: the source of that suite ("" = the live system's), once.
had() {
	local dir
	for dir in "$1"/libdrm-*/; do if [ -e "$dir/xf86drm.c" ]; then return; fi; done
	say "ports: libdrm's source from Debian${2:+ $2} (once)"
	(debian_source "$1" libdrm "$2") </dev/null >>"$out/log" 2>&1
}

mk/need.sh libdrm mutants
mkdir -p "$out"
: >"$out/log"
for suite in "" trixie; do
	root=$TARGET/libdrm${suite:+-$suite}.apt
	if had "$root" "$suite"; then
		check "$(echo "$root"/libdrm-*/)"
	else
		say "ports: libdrm of Debian ${suite:-here}: skipped: its source cannot be had"
	fi
done
if [ -n "${LIBDRM:-}" ]; then check "$LIBDRM"; fi
exit "$bad"
