#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The API documentation of all crates of the workspace: target/doc, with a page that lists them.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mk/need.sh build
RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps

# field NAME FILE: the string NAME in a Cargo.toml.
field() { sed -nE "s/^$1 = \"(.*)\"\$/\1/p" "$2" | head -n 1; }

{
	printf '<!DOCTYPE html>\n<meta charset="utf-8">\n<title>drmkpi</title>\n'
	printf '<h1>drmkpi</h1>\n<ul>\n'
	# From the bottom of the layers up, then what tests them.
	for dir in $(sed -nE 's/^    "(.*)",$/\1/p' Cargo.toml); do
		crate=$(field name "$dir/Cargo.toml")
		page=${crate//-/_}/index.html
		[ -e "$TARGET/doc/$page" ] || die "$crate has no page"
		text=$(field description "$dir/Cargo.toml")
		printf '<li><a href="%s">%s</a>: %s</li>\n' "$page" "$crate" "$text"
	done
	printf '</ul>\n'
} >"$TARGET/doc/index.html"
