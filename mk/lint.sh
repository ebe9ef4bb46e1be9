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

clients() { cargo "$1" --manifest-path tests/clients/Cargo.toml "${@:2}"; }

rustdoc() { RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps; }

bindings() { diff -u sys/dev/drm/kpi/src/os/bindings.rs <(mk/bindgen.sh); }

spdx() {
	local file status=0
	while read -r file; do
		if ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: BSD-2-Clause'; then
			say "$file: no SPDX line"
			status=1
		fi
	done < <(sources '*.rs' '*.c' '*.h' '*.S' '*.sh' '*.lua' '*.dtso' '*.dtsi' '*.awk' \
		'*.[1-9]' '*/Cargo.toml' Cargo.toml '*Kyuafile' '*Makefile' '*.mk' mk .ci ':!*.md' \
		':!mk/README')
	return "$status"
}

# Trees of one developer's or builder's machine, in any tracked text.
machine_paths() {
	! sources . | grep -v '^mk/lint\.sh$' |
		xargs -d '\n' grep -InE '(^|[^A-Za-z0-9_.])/(work|root|home)/' --
}

# Kernel messages are for people: no Debug output of Rust, such as `Some(3)`. Tests may print what
# they like.
debug_output() {
	! sources 'sys/*.rs' | grep -vE '/tests/|_tests?\.rs$' |
		xargs -d '\n' grep -nE '\{[a-z_0-9.]*:[#0-9a-zA-Z]*\?\}|\bdbg!' --
}

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

# names: every tunable and every statistic, as a manual page has to name it.
names() {
	local kpi=sys/dev/drm/kpi
	grep -rhoE 'tunable\(c"[a-z0-9_]+"|hw\.drmkpi\.[a-z0-9_]+' sys/dev/drm \
		--include='*.rs' --include='*.c' | sed -E 's/.*[".]([a-z0-9_]+)"?$/hw.drmkpi.\1/'
	sed -nE 's/^ +[0-9] => (Some)?\(+c"([a-z_]+)", .*/dev.DRIVER.N.\2/p' \
		"$kpi/src/drm/stats.rs"
	sed -nE '/fn stat</,/^}/s/^ +[0-9] => Some\(\(c"([a-z_]+)", .*/dev.DRIVER.N.\1/p' \
		"$kpi/src/entry.rs"
	sed -nE 's/^.*OID_AUTO, "(dump|dump_clear)",.*/dev.etnaviv.N.\1/p' \
		"$kpi/freebsd/drm_sysctl.c"
}

# Every one of them is in a page.
manual_names() {
	local name status=0
	for name in $(names); do
		if ! grep -qE "^\.It Va ${name//./\\.}\$" share/man/man4/*.4; then
			say "$name is in no manual page"
			status=1
		fi
	done
	return "$status"
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
	cargo run -q -p xtask -- layers >"$TARGET/layers.txt" || {
		cat "$TARGET/layers.txt"
		return 1
	}
}

words() { cargo run -q -p xtask -- words; }

overflow() { cargo run -q -p xtask -- overflow; }

mk/need.sh build lint || exit 1
check "rustfmt" cargo fmt --all --check
check "rustfmt, clients" clients fmt --check
check "clippy" cargo clippy --workspace --all-targets -- -D warnings
check "clippy, clients" clients clippy -q --all-targets -- -D warnings
check "rustdoc" rustdoc
check "bindings of drm_os.h" bindings
check "licence lines" spdx
check "paths of one machine" machine_paths
check "shellcheck" scripts
check "no Debug output in kernel messages" debug_output
check "layers of the kernel crates" layers
check "reasons for arithmetic that wraps or saturates" overflow
check "words and widths" words
check "manual pages" manuals
check "names in the manual pages" manual_names
if [ "$bad" = 0 ]; then say "lint: clean"; fi
exit "$bad"
