#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What the kernel crates' object code and sources must not hold: calls of the panic machinery, unsafe code outside its islands.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

bad=0

# panic_audit CRATE=LIMIT...: references from the crate's own optimised code to core's panic functions, overflow checks included.
# Generic code is seen only as far as the crate itself instantiates it. LIMIT is what is known and allowed; it may only go down.
panic_audit() {
	local entry crate limit dir refs count functions
	for entry in "$@"; do
		crate=${entry%%=*}
		limit=${entry#*=}
		dir=$TARGET/audit/$crate
		mkdir -p "$dir"
		cargo rustc -q --release -p "$crate" --lib --target-dir "$TARGET/audit/cargo" -- -Ccodegen-units=1 --emit=obj="$dir/lib.o"
		refs=$(nm -C --undefined-only "$dir/lib.o" | awk '{ $1 = ""; print }' |
			grep -E 'core::(panicking|slice::index|str::slice_error|option::(unwrap|expect)_failed|result::unwrap_failed|cell::panic)' || :)
		count=$(printf '%s' "$refs" | grep -c . || :)
		functions=$(nm --defined-only "$dir/lib.o" | grep -ci ' t ' || :)
		say "audit: panics: $crate: $functions functions, $count panic functions referenced, $limit allowed"
		if [ "$functions" = 0 ]; then
			say "audit: $crate: no code to look at (a generic function is compiled where it is used)"
			bad=1
		fi
		if [ "$count" -gt "$limit" ]; then
			printf '%s\n' "$refs"
			bad=1
		fi
	done
}

# unsafe_audit ISLAND...: unsafe code of sys/ lies below these paths only.
unsafe_audit() {
	local found
	# An attribute, block, function or impl; not the word in a comment or in the name of a lint.
	found=$(git ls-files -co --exclude-standard 'sys/*.rs' | grep -vE "^($(IFS='|'; printf '%s' "$*"))" |
		xargs -d '\n' grep -nE '^[^/"]*\bunsafe( *\{| +(fn|impl|extern|trait)|\()' -- || :)
	say "audit: unsafe code outside of $*: $(printf '%s' "$found" | grep -c . || :) places"
	if [ -n "$found" ]; then
		printf '%s\n' "$found"
		bad=1
	fi
}

mk/need.sh build audit
unsafe_audit sys/dev/drm/kpi/src/ffi sys/dev/drm/kpi/src/os sys/dev/drm/kpi/src/alloc
# drm_sched is generic throughout: its code is in the object of the crate that instantiates it.
panic_audit iommu_pmap=0
if [ "$bad" = 0 ]; then say "audit: clean"; fi
exit "$bad"
