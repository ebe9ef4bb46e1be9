#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Form: rustfmt, clippy and rustdoc without a warning, generated bindings up to date, licence lines, no path of one machine.
# Every check runs; the exit status says whether all of them held.
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

# What is or would be tracked; a file that is deleted in the work tree is no more.
sources() { git ls-files -co --exclude-standard -- "$@" | while read -r file; do if [ -f "$file" ]; then printf '%s\n' "$file"; fi; done; }

clients() { cargo "$1" --manifest-path tests/clients/Cargo.toml "${@:2}"; }

rustdoc() { RUSTDOCFLAGS='-D warnings' cargo doc -q --workspace --no-deps; }

bindings() { diff -u sys/dev/drm/kpi/src/os/bindings.rs <(mk/bindgen.sh); }

spdx() {
	local file status=0
	while read -r file; do
		if ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: BSD-2-Clause'; then
			say "$file: no SPDX line"
			status=1
		fi
	done < <(sources '*.rs' '*.c' '*.h' '*.S' '*.sh' '*.lua' '*.dtso' '*/Cargo.toml' Cargo.toml '*Kyuafile' '*Makefile' '*.mk' mk .ci ':!*.md' ':!mk/README')
	return $status
}

# Trees of one developer's or builder's machine, in any tracked text.
machine_paths() { ! sources . | grep -v '^mk/lint\.sh$' | xargs -d '\n' grep -InE '(^|[^A-Za-z0-9_.])/(work|root|home)/' --; }

scripts() {
	local file status=0
	while read -r file; do bash -n "$file" || status=1; done < <(sources mk .ci | xargs -d '\n' grep -lE '^#!.*sh$' --)
	return $status
}

mk/need.sh build lint || exit 1
check "rustfmt" cargo fmt --all --check
check "rustfmt, clients" clients fmt --check
check "clippy" cargo clippy -q --workspace --all-targets -- -D warnings
check "clippy, clients" clients clippy -q --all-targets -- -D warnings
check "rustdoc" rustdoc
check "bindings of drm_os.h" bindings
check "licence lines" spdx
check "paths of one machine" machine_paths
check "shell syntax" scripts
if [ "$bad" = 0 ]; then say "lint: clean"; fi
exit "$bad"
