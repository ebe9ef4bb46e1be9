#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Makes target/libdrm: libdrm's own tests of etnaviv, which Debian does not package, built for this
# machine from Debian's libdrm source. Nothing of libdrm is installed or committed. It never fails:
# where the source cannot be had or built, target/libdrm/missing says why, and the suite skips those
# tests.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$TOP/mk/source.sh"

TESTS="etnaviv_bo_cache_test etnaviv_cmd_stream_test etnaviv_2d_test"

# Goes up when what is built changes.
LAYOUT=1

out=$TARGET/libdrm
root=$TARGET/libdrm.apt
if [ "$(cat "$out/.stamp" 2>/dev/null)" = "$LAYOUT" ]; then
	exit 0
fi

build() {
	# Debian's meson wants Debian's Python, whatever else is called python3 here.
	export PATH=/usr/bin:/bin
	cd "$root" || return
	meson setup build libdrm-*/ -Dauto_features=disabled -Detnaviv=enabled -Dtests=true \
		-Dcairo-tests=disabled -Dintel=disabled \
		-Dradeon=disabled -Damdgpu=disabled -Dnouveau=disabled -Dvmwgfx=disabled \
		-Dvalgrind=disabled -Dman-pages=disabled &&
		ninja -C build
}

# The programs find the libraries that they were linked to by their run path, which leads into
# $root/build.
link_tests() {
	local name
	for name in $TESTS; do
		[ -x "$root/build/tests/etnaviv/$name" ] &&
			ln -s "$root/build/tests/etnaviv/$name" "$out/$name" || return
	done
}

# step WHAT CMD...: runs CMD in a subshell, where `set -e` is off; when it fails, the suite is
# informed that WHAT failed.
step() {
	if ! ("${@:2}") </dev/null >>"$out/log" 2>&1; then
		say "$1, see ${out#"$TOP"/}/log" >"$out/missing"
		say "libdrm: no tests: $(cat "$out/missing")"
		exit 0
	fi
}

rm -rf "$out"
mkdir -p "$out"
say "libdrm: its etnaviv tests, from Debian's source (once; about 10 MB to download)"
step "meson and ninja cannot be installed" mk/need.sh libdrm
step "Debian's source of libdrm cannot be had" debian_source "$root" libdrm
step "libdrm does not build" build
step "libdrm's build has no etnaviv tests" link_tests
printf '%s\n' "$LAYOUT" >"$out/.stamp"
