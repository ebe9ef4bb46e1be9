#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What the kernel crates' object code and sources must not hold: calls of the panic machinery, large
# stack frames, symbols that are not in drm_os.h, unsafe code outside its islands. mk/xtask judges
# what is listed here.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

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

mk/need.sh build audit
for crate in iommu_pmap drmkpi panfrost etnaviv; do object $crate; done
xtask audit "$TARGET/audit"
