#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# kmod-audit.sh DIR: what drmkpi.ko in DIR must not hold, or hold more of (docs/kmod.md). With
# KERNEL=, looks its symbols up in that kernel too. Reads drmkpi.ko and drmkpi.ko.full, the same
# with its debugging information, and rust.o. Every check runs; the exit status says whether all
# held.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

dir=${1:?usage: kmod-audit.sh DIR}
bad=0
# report WHAT FILE: the lines of FILE are findings.
report() {
	if [ -s "$2" ]; then
		say "audit: $1: FAILED"
		sed 's/^/  /' "$2"
		bad=1
	else
		say "audit: $1: none"
	fi
}
work=$dir/audit
rm -rf "$work"
mkdir -p "$work"

# code FILE: one instruction per line: function, tab, mnemonic, tab, operands without comments or
# the names of targets.
code() {
	llvm-objdump-19 -d --no-show-raw-insn --no-leading-addr "$1" | awk -F '\t' -v OFS='\t' '
		/^<.*>:$/ { fn = $0; gsub(/^<|>:$/, "", fn); next }
		NF >= 2 { sub(/ *\/\/.*/, "", $3); sub(/ *<.*/, "", $3); print fn, $2, $3 }'
}

# Undefined symbols: all in the list, and exported by a real kernel if there is one. UPDATE=1 puts
# those that KERNEL exports into the list, and drops those that the module no longer needs, but for
# lines marked `debug`, which a module for an INVARIANTS kernel may want too.
symbols() {
	local list=sys/modules/drmkpi/kernel_symbols.txt allowed='NF == 1' kernel
	if [ "$(cat "$dir/flavour" 2>/dev/null)" = debug ]; then allowed='NF >= 1'; fi
	llvm-nm-19 -u --format=just-symbols "$dir/drmkpi.ko" | LC_ALL=C sort -u >"$work/wanted"
	for kernel in ${KERNEL:-}; do
		# kernel.bin has no symbols; the kernel that it was made of lies beside it.
		[ -e "${kernel%.bin}" ] || die "no such kernel: ${kernel%.bin}"
		llvm-nm-19 --extern-only --defined-only --format=just-symbols "${kernel%.bin}" |
			LC_ALL=C sort -u >"$work/exported"
		LC_ALL=C comm -23 "$work/wanted" "$work/exported" >"$work/missing"
		report "undefined symbols that ${kernel%.bin} does not export" "$work/missing"
	done
	if [ -n "${UPDATE:-}" ]; then
		if [ -z "${KERNEL:-}" ] || [ "$allowed" != 'NF == 1' ]; then
			die "UPDATE takes KERNEL, and a module without INVARIANTS"
		fi
		{
			grep '^#' $list
			LC_ALL=C comm -12 "$work/wanted" "$work/exported" |
				cat - <(grep ' debug$' $list) | LC_ALL=C sort -u
		} >"$work/list"
		cp "$work/list" $list
	fi
	LC_ALL=C comm -23 "$work/wanted" \
		<(awk "/^#/ { next } $allowed { print \$1 }" $list | LC_ALL=C sort -u) \
		>"$work/unlisted"
	report "undefined symbols not in $list ($(wc -l <"$work/wanted") wanted)" "$work/unlisted"
}

# x18 holds the pointer to the CPU's struct pcpu: C reads it and loads and stores by it; no code
# writes it; Rust does not use it.
x18() {
	code "$dir/rust.o" | grep -P '\t.*\b[xw]18\b' >"$work/x18-rust" || :
	report "x18 in Rust" "$work/x18-rust"
	awk -F '\t' '$3 ~ /(^|[^a-z0-9])[xw]18([^0-9]|$)/ &&
		!($2 ~ /^(ldr|str|ldur|stur)/ && $3 !~ /^[xw]18,/ &&
			$3 ~ /^[xw][0-9zr]+, \[x18(, #[0-9a-fx]+)?\]$/) &&
		!($2 ~ /^(ldp|stp)$/ && $3 !~ /^([xw]18,|[^,]*, [xw]18,)/ &&
			$3 ~ /^[xw][0-9zr]+, [xw][0-9zr]+, \[x18(, #[0-9a-fx]+)?\]$/) &&
		!($2 ~ /^(mov|add)$/ && $3 !~ /^x18,/ &&
			$3 ~ /^x[0-9]+, x18(, #[0-9a-fx]+(, lsl #12)?)?$/)
	' "$work/code" >"$work/x18"
	report "x18 but as the pointer to struct pcpu" "$work/x18"
}

# Floating point, SIMD and SVE registers and their status, in any operand: they hold the values of a
# user process.
fp() {
	awk -F '\t' '
		$3 ~ /(^|[ ,{[])([vz][0-9]+\.|[qdshbvz][0-9]+([^0-9a-z]|$))/ ||
		toupper($3) ~ /(^|[ ,])FP[CS]R([ ,]|$)/
	' "$work/code" >"$work/fp"
	report "floating point and SIMD registers" "$work/fp"
}

# Frames: what a function takes from the stack pointer in all, in constants; a kernel stack has 16
# KiB.
frames() {
	awk -F '\t' -v limit=2048 '
		function number(s,  i, n) {
			if (s !~ /^0x/) return s + 0
			n = 0
			for (i = 3; i <= length(s); i++)
				n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
			return n
		}
		function done() {
			if (frame > most) { most = frame; who = fn }
			if (frame > limit) print fn ": " frame " bytes"
		}
		$1 != fn { done(); fn = $1; frame = 0 }
		$2 == "sub" && $3 ~ /^sp, sp, / { n = $3; sub(/^sp, sp, /, "", n)
			if (n !~ /^#/) { print fn ": a frame of unknown size" ; next }
			shift = n ~ /lsl #12/ ? 4096 : 1
			sub(/^#/, "", n); sub(/,.*/, "", n)
			frame += number(n) * shift }
		$2 ~ /^(mov|add|sub|and)$/ && $3 ~ /^sp, x/ && $3 !~ /^sp, x29(, #|$)/ {
			print fn ": a frame of unknown size" }
		$3 ~ /\[sp, #-(0x)?[0-9a-f]+\]!$/ {
			n = $3; sub(/.*#-/, "", n); sub(/\].*/, "", n)
			frame += number(n) }
		END { done(); print most " bytes in " who >"/dev/stderr" }
	' "$work/code" >"$work/frames" 2>"$work/largest-frame"
	report "stack frames over 2048 bytes (largest: $(cat "$work/largest-frame"))" "$work/frames"
}

# Relocations: what the arm64 kernel's linker knows, without those of code that is not
# position-independent.
relocations() {
	llvm-readelf-19 -rW "$dir/drmkpi.ko" | awk '$3 ~ /^R_/ { print $3 }' | sort |
		uniq -c >"$work/relocations"
	grep -vE ' R_AARCH64_(NONE|RELATIVE|ABS64|GLOB_DAT|JUMP_SLOT)$' "$work/relocations" \
		>"$work/odd-relocations" || :
	report "relocations that the kernel's linker does not know" "$work/odd-relocations"
}

# The note that says that every indirect branch ends at a landing pad.
bti() {
	llvm-readelf-19 -n "$dir/drmkpi.ko" | grep -q 'aarch64 feature:.*BTI' ||
		echo "no BTI in .note.gnu.property" >"$work/bti"
	touch "$work/bti"
	report "code without BTI" "$work/bti"
}

# Calls of core's panic functions from outside of core::panicking, against what mk/audit.sh allows
# the crates in sum.
panics() {
	local allowed
	allowed=$(sed -n 's/^panic_audit //p' mk/audit.sh | tr ' ' '\n' |
		awk -F= '{ sum += $2 } END { print sum + 0 }')
	llvm-objdump-19 -d -C --no-show-raw-insn --no-leading-addr "$dir/drmkpi.ko.full" |
		awk -v within="^$PANICS" \
			-v call="\t(b|bl|b[.][a-z]+|cbn?z|tbn?z|adrp?|add)\t.*<<?$PANICS" '
		/^<.*>:$/ { fn = $0; gsub(/^<|>:$/, "", fn); next }
		fn !~ within && $0 ~ call {
			target = $0
			sub(/^[^<]*</, "", target)
			sub(/(\+0x[0-9a-f]+)?>$/, "", target)
			print fn " calls " target
		}' >"$work/panics"
	say "audit: panics: $(wc -l <"$work/panics") calls in the module, $allowed allowed"
	if [ "$(wc -l <"$work/panics")" -gt "$allowed" ]; then
		sed 's/^/  /' "$work/panics"
		bad=1
	fi
}

code "$dir/drmkpi.ko.full" >"$work/code"
[ "$(wc -l <"$work/code")" -gt 1000 ] || die "no code in $dir/drmkpi.ko.full"
symbols
x18
fp
frames
relocations
bti
panics
if [ "$bad" = 0 ]; then say "audit: $dir/drmkpi.ko: clean"; fi
exit "$bad"
