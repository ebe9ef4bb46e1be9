#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What the kernel crates' object code and sources must not hold: calls of the panic machinery,
# unsafe code outside its islands.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

bad=0

# object CRATE: the crate's own optimised code as the kernel would have it (no unwinding, overflow
# checks on), in one object file.
object() {
	local dir=$TARGET/audit/$1
	mkdir -p "$dir"
	cargo rustc --release -p "$1" --lib --target-dir "$TARGET/audit/cargo" -- -Cpanic=abort \
		-Ccodegen-units=1 --emit=obj="$dir/lib.o"
	objdump -dr -C --no-show-raw-insn "$dir/lib.o" >"$dir/code"
	nm --undefined-only "$dir/lib.o" | awk '{ print $NF }' | sort -u >"$dir/undefined"
}

# panic_audit CRATE=LIMIT...: calls of core's panic functions, with the function that calls. LIMIT
# may only go down.
panic_audit() {
	local entry crate limit count
	for entry in "$@"; do
		crate=${entry%%=*}
		limit=${entry#*=}
		awk -v panic="R_[A-Z0-9_]+[ \t]+$PANICS" '
			/^[0-9a-f]+ <.*>:$/ {
				fn = $0; sub(/^[0-9a-f]+ </, "", fn); sub(/>:$/, "", fn)
			}
			$0 ~ panic { print "  " fn " calls " $NF }
		' "$TARGET/audit/$crate/code" >"$TARGET/audit/$crate/panics"
		count=$(wc -l <"$TARGET/audit/$crate/panics")
		say "audit: panics: $crate: $count calls, $limit allowed"
		if [ "$count" -gt "$limit" ]; then
			cat "$TARGET/audit/$crate/panics"
			bad=1
		fi
	done
}

# instances CRATE GENERIC...: a generic crate's code is in the object of the crate that uses it;
# make sure that it is there.
instances() {
	local generic functions
	for generic in "${@:2}"; do
		functions=$(grep -cE "^[0-9a-f]+ <.*$generic::" "$TARGET/audit/$1/code" || :)
		say "audit: $generic: $functions functions in the object of $1"
		if [ "$functions" = 0 ]; then bad=1; fi
	done
}

# frame_audit BYTES CRATE...: no function's stack frame is larger; a kernel stack has 16 KiB.
frame_audit() {
	local limit=$1 crate
	for crate in "${@:2}"; do
		awk -v limit="$limit" '
			function hex(s,  i, n) {
				n = 0
				for (i = 1; i <= length(s); i++)
					n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
				return n
			}
			/^[0-9a-f]+ <.*>:$/ {
				fn = $0; sub(/^[0-9a-f]+ </, "", fn); sub(/>:$/, "", fn)
			}
			/sub +\$0x[0-9a-f]+,%rsp/ {
				match($0, /\$0x[0-9a-f]+/)
				n = hex(substr($0, RSTART + 3, RLENGTH - 3))
				if (n > most) { most = n; who = fn }
				if (n > limit) { print "  " fn ": " n " bytes"; over = 1 }
			}
			END {
				printf "audit: stack frames: largest %d bytes, %d allowed: %s\n",
				    most, limit, who
				exit over
			}' "$TARGET/audit/$crate/code" || bad=1
	done
}

# symbol_audit CRATE...: what the kernel crates want of C is in drm_os.h, but for the four functions
# that compilers call by themselves.
symbol_audit() {
	local crate header=sys/dev/drm/kpi/include/drm_os.h symbol
	for crate in "$@"; do
		while read -r symbol; do
			case $symbol in
			memcpy | memmove | memset | memcmp | bcmp | _R* | _ZN*) continue ;;
			esac
			if ! grep -qE "[^a-z_]$symbol\(" "$header"; then
				say "audit: $crate wants $symbol, which is not in drm_os.h"
				bad=1
			fi
		done <"$TARGET/audit/$crate/undefined"
	done
	say "audit: undefined symbols: checked $*"
}

# unsafe_audit ISLAND...: unsafe code of sys/ lies below these paths only.
unsafe_audit() {
	local found
	# An attribute, block, function or impl; a symbol by a name of its own, which takes the
	# place of any other of that name; the lint allowed. Not the word in a comment or in the
	# name of a lint.
	local uses='\bunsafe( *\{| +(fn|impl|extern|trait)|\()'
	uses+='|\b(no_mangle|export_name|link_section)\b|\bunsafe_code\b'
	found=$(git ls-files -co --exclude-standard 'sys/*.rs' |
		grep -vE "^($(IFS='|'; printf '%s' "$*"))" | xargs -d '\n' \
		grep -nE "^[^/\"]*($uses)" -- | grep -v '(unsafe_code)\]' || :)
	say "audit: unsafe code outside of $*: $(printf '%s' "$found" | grep -c . || :) places"
	if [ -n "$found" ]; then
		printf '%s\n' "$found"
		bad=1
	fi
}

mk/need.sh build audit
# drivers.rs has the two symbols by which C finds the drivers' tables, and no other code.
unsafe_audit sys/dev/drm/kpi/src/entry sys/dev/drm/kpi/src/os sys/dev/drm/kpi/src/alloc \
	sys/modules/drmkpi/src/drivers.rs
for crate in iommu_pmap drmkpi panfrost etnaviv; do object $crate; done
instances panfrost iommu_pmap drm_sched drmkpi
# The one call in each driver is in the text parser that bitflags gives every type; nothing of ours
# calls that.
panic_audit iommu_pmap=0 drmkpi=0 panfrost=1 etnaviv=1
frame_audit 2048 drmkpi panfrost etnaviv
symbol_audit drmkpi panfrost etnaviv
if [ "$bad" = 0 ]; then say "audit: clean"; fi
exit "$bad"
