#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# kmod-audit.sh DIR: what drmkpi.ko in DIR must not hold, or hold more of (docs/kmod.md). With
# KERNEL=, looks its symbols up in that kernel too; UPDATE=1 puts those that KERNEL exports into the
# list of symbols. Lists drmkpi.ko, drmkpi.ko.full, the same with its debugging information, and
# rust.o; mk/xtask judges the lists. Every audit runs; the exit status says whether all held.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

dir=${1:?usage: kmod-audit.sh DIR}
work=$dir/audit
rm -rf "$work"
mkdir -p "$work"

# code FILE: its disassembly.
code() { llvm-objdump-19 -d -C --no-show-raw-insn --no-leading-addr "$1"; }

code "$dir/drmkpi.ko.full" >"$work/code"
code "$dir/rust.o" >"$work/rust-code"
llvm-nm-19 -u --format=just-symbols "$dir/drmkpi.ko" >"$work/wanted"
llvm-readelf-19 -rW "$dir/drmkpi.ko" >"$work/relocations"
llvm-readelf-19 -n "$dir/drmkpi.ko" >"$work/notes"
options=()
if [ -n "${UPDATE:-}" ]; then options+=(--update); fi
for kernel in ${KERNEL:-}; do
	# kernel.bin has no symbols; the kernel that it was made of lies beside it.
	kernel=${kernel%.bin}
	[ -e "$kernel" ] || die "no such kernel: $kernel"
	exported=$work/exported-$((${#options[@]}))
	llvm-nm-19 --extern-only --defined-only --format=just-symbols "$kernel" >"$exported"
	options+=("$kernel" "$exported")
done
xtask kmod-audit "$dir" ${options[@]+"${options[@]}"}
