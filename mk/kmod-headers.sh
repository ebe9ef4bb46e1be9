#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Prints the -I flags for FreeBSD 15's installed headers, where no source tree is at hand: those
# that PyPI's ziglang wheel carries for its own C compiler (byte for byte the tree's but for a
# comment), and before them generated stand-ins for what is not installed on a FreeBSD system
# (interface headers, clk(9) and its like), which all lead to
# sys/modules/drmkpi/compat/kpi_missing.h. Downloads once, into target/kmod.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

version=0.17.0
# Of the wheel for x86_64 Linux, which any machine may unpack.
sha256=97079827064a7492cce5541ceb438ae8003ce1e54e399676da2d62fb7a5dc08b
platform=manylinux_2_12_x86_64
dir=$TARGET/kmod/headers
missing=sys/modules/drmkpi/compat/kpi_missing.h

# The wheel, checked, whether pip brought it now or it was put there by hand.
fetch() {
	local wheel=$TARGET/kmod/wheel
	mkdir -p "$wheel"
	if ! ls "$wheel"/ziglang-$version-*.whl >/dev/null 2>&1; then
		say "kmod: fetching ziglang $version for FreeBSD's headers (100 MB)" >&2
		python3 -m pip download -q --disable-pip-version-check --no-deps \
			--only-binary=:all: --python-version 3.11 --platform $platform \
			-d "$wheel" ziglang==$version >&2
	fi
	printf '%s  %s\n' $sha256 "$wheel"/ziglang-$version-*.whl | sha256sum -c --quiet >&2 ||
		die "not the wheel that is expected"
	rm -rf "$dir.new"
	python3 - "$wheel"/ziglang-$version-*.whl "$dir.new" <<-'PY'
		import os, sys, zipfile
		top = 'ziglang/lib/libc/include/'
		with zipfile.ZipFile(sys.argv[1]) as wheel:
		    for name in wheel.namelist():
		        wanted = (top + 'generic-freebsd/', top + 'aarch64-freebsd-none/')
		        if name.startswith(wanted) and not name.endswith('/'):
		            path = os.path.join(sys.argv[2], name[len(top):])
		            os.makedirs(os.path.dirname(path), exist_ok=True)
		            with open(path, 'wb') as out:
		                out.write(wheel.read(name))
	PY
	printf '%s\n' $version >"$dir.new/version"
	rm -rf "$dir"
	mv "$dir.new" "$dir"
}

# One stand-in for each header named by a section of kpi_missing.h, as `#ifdef KPI_<its path in
# capitals>`.
stand_ins() {
	local header
	rm -rf "$dir/stand-in"
	sed -n 's/^\/\* for <\(.*\)> \*\/$/\1/p' $missing | while read -r header; do
		mkdir -p "$(dirname "$dir/stand-in/$header")"
		printf '#define KPI_%s\n#include "kpi_missing.h"\n' \
			"$(printf %s "$header" | tr 'a-z/.-' 'A-Z___')" >"$dir/stand-in/$header"
	done
}

mk/need.sh kmod-headers >&2
if [ "$(cat "$dir/version" 2>/dev/null)" != $version ]; then fetch; fi
stand_ins
# The wheel takes the line with the version out of sys/param.h, for its compiler defines it.
printf '%s\n' "-I$dir/stand-in" -Isys/modules/drmkpi/compat "-isystem$dir/aarch64-freebsd-none" \
	"-isystem$dir/generic-freebsd" -D__FreeBSD_version=1500068
