#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Checks of form: rustfmt, clippy, rustdoc and shellcheck without a warning, generated bindings up
# to date, licence lines, no path of one machine, layers, words and widths, manual pages. Every
# check runs; the exit status says whether all of them passed.
set -uo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

bad=0
# check WHAT CMD...: runs one check and remembers a failure.
check() {
	say "lint: $1"
	if ! "${@:2}"; then
		say "lint: $1: FAILED"
		bad=1
	fi
}

# What is or would be tracked, without files that are deleted in the work tree.
sources() {
	git ls-files -co --exclude-standard -- "$@" |
		while read -r file; do if [ -f "$file" ]; then printf '%s\n' "$file"; fi; done
}

clients() { cargo "$1" --manifest-path tests/guest/clients/Cargo.toml "${@:2}"; }

rustdoc() { RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps; }

bindings() { diff -u sys/dev/drm/kpi/src/os/bindings.rs <(mk/bindgen.sh); }

# The pages name manuals of FreeBSD, which this machine does not have.
manuals() {
	local said
	said=$(mandoc -T lint share/man/man4/*.4 2>&1 |
		grep -vE 'referenced manual not found: Xr|outdated mandoc\.db')
	if [ -n "$said" ]; then
		say "$said"
		return 1
	fi
}

# Scripts by their first line, then the parts that others source or that a guest's shell runs: their
# variables are those of the script that reads them.
scripts() {
	local status=0 parts='SC1090,SC1091,SC2034,SC2154'
	sources mk .ci tests ':!*.md' | xargs -d '\n' grep -lE '^#!.*sh( |$)' -- |
		xargs -d '\n' shellcheck -- || status=1
	sources 'mk/*.sh' | xargs -d '\n' grep -LE '^#!' -- |
		xargs -d '\n' shellcheck -s bash -e "$parts" -- || status=1
	sources 'tests/*.sh' | xargs -d '\n' grep -LE '^#!' -- |
		xargs -d '\n' shellcheck -s dash -e "$parts" -- || status=1
	return "$status"
}

layers() {
	xtask layers >"$TARGET/layers.txt" || {
		cat "$TARGET/layers.txt"
		return 1
	}
}

mk/need.sh build lint || exit 1
check "rustfmt" cargo fmt --all --check
check "rustfmt, clients" clients fmt --check
check "clippy" cargo clippy --workspace --all-targets -- -D warnings
check "clippy, clients" clients clippy -q --all-targets -- -D warnings
check "rustdoc" rustdoc
check "bindings of drm_os.h" bindings
check "licence lines" xtask forms licences
check "paths of one machine" xtask forms paths
check "shellcheck" scripts
check "no Debug output in kernel messages" xtask forms debug-output
check "layers of the kernel crates" layers
check "reasons for arithmetic that wraps or saturates" xtask overflow
check "words and widths" xtask words
check "manual pages" manuals
check "names in the manual pages" xtask forms manual-names
check "patches of the mutants" git apply --check tests/guest/mutants/*.patch
if [ "$bad" = 0 ]; then say "lint: clean"; fi
exit "$bad"
