#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# drmkpi.ko for FreeBSD/arm64, cross-built: the crates of sys/ in one Rust object, the C glue of
# sys/dev/drm/kpi/freebsd, one link.
#
#   SYSDIR=...         FreeBSD's sys/ (default /usr/src/sys if it exists; empty: the headers of
#                      mk/kmod-headers.sh)
#   KERNBUILDDIR=...   a kernel's build directory, whose opt_*.h are used (needs SYSDIR)
#   KERNEL=...         a kernel that must export every symbol that the module needs; with UPDATE=1
#                      the list of them is rewritten
#   OUT=...            the directory of drmkpi.ko (default target/kmod), to keep several variants
#
# One module serves kernels with and without INVARIANTS and WITNESS, and is built without
# KERNBUILDDIR: for a module (KLD_MODULE without KLD_TIED) sys/_lock.h makes every operation of
# mtx(9), sx(9) and rw(9) a call of a kernel function that gets file and line, so witness(4) sees
# all of them, and no structure that the glue shares with the kernel changes its layout with these
# options. What does change: KASSERT and the mtx_assert family vanish; vm_page_xunbusy() tries the
# owner-less value first, and on an INVARIANTS kernel takes its slow path, which is correct;
# vm_page_xbusy_claim() does nothing, so the glue must not use it. The reverse does not work: a
# module built with KERNBUILDDIR of an INVARIANTS kernel needs __mtx_assert and similar symbols,
# which a kernel without INVARIANT_SUPPORT does not export. KERNBUILDDIR is for KASSERTs in the
# module itself.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

if [ -e /usr/src/sys/sys/param.h ]; then SYSDIR=${SYSDIR-/usr/src/sys}; fi
SYSDIR=${SYSDIR-}
OUT=${OUT:-$TARGET/kmod}
triple=aarch64-unknown-none-softfloat
mkdir -p "$OUT/obj" "$TARGET/kmod"
OUT=$(cd "$OUT" && pwd)

# The C sources; SRCS names others than the glue.
sources() {
	if [ -n "${SRCS:-}" ]; then
		tr -s ' ' '\n' <<<"$SRCS"
	else
		find sys/dev/drm/kpi/freebsd -name '*.c' | sort
	fi
}

# Whose core can be built with our flags: the user's rustc if its sources are installed, else
# Debian's.
choose_rust() {
	local rustc
	for rustc in "${RUSTC:-rustc}" /usr/bin/rustc; do
		if [ -e "$("$rustc" --print sysroot \
			2>/dev/null)/lib/rustlib/src/rust/library/core/Cargo.toml" ]; then
			export RUSTC=$rustc
			return
		fi
	done
	die "no rustc with its library sources (rust-src)"
}

# rust.o: the drivers, the DRM layer and what they use of core. compiler_builtins, the other member
# of the archive, is left out: nothing in it may be wanted, for memcpy(9) and its kin are the
# kernel's (mk/kmod-audit.sh sees what is undefined).
rust() {
	local flags="-Zfixed-x18 -Zbranch-protection=bti,pac-ret -Crelocation-model=pic"
	# The kernel allows unaligned accesses to normal memory (SCTLR_EL1.A is 0).
	flags+=" -Ctarget-feature=-strict-align"
	# A stack trace needs no frame of a function that calls nothing.
	flags+=" -Zunstable-options -Cforce-frame-pointers=non-leaf"
	local dir=$TARGET/kmod/cargo sources members
	choose_rust
	sources=$("$RUSTC" --print sysroot)/lib/rustlib/src/rust
	flags+=" --remap-path-prefix=$TOP=drmkpi --remap-path-prefix=$sources=rust"
	flags+=" --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
	# Future-incompatibility notes are about core, not about us.
	env -u CARGO_ENCODED_RUSTFLAGS RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags" \
		CARGO_TARGET_DIR="$dir" CARGO_FUTURE_INCOMPAT_REPORT_FREQUENCY=never \
		cargo build --locked --release --manifest-path sys/modules/drmkpi/Cargo.toml \
		--target "$triple" -Zbuild-std=core
	members=$(llvm-ar-19 t "$dir/$triple/release/libdrmkpi_kmod.a" |
		grep -v '^compiler_builtins-')
	[ "$(printf '%s\n' "$members" | wc -l)" = 1 ] || die "one Rust object expected: $members"
	llvm-ar-19 p "$dir/$triple/release/libdrmkpi_kmod.a" "$members" >"$OUT/rust.o"
}

# The headers that a kernel build generates, in $TARGET/kmod/if: interfaces (*_if.h), vnode
# operations, machine/.
interfaces() {
	local dir=$TARGET/kmod/if
	if [ "$(cat "$dir/made-of" 2>/dev/null)" = "$SYSDIR" ]; then return; fi
	rm -rf "$dir"
	mkdir -p "$dir"
	(
		cd "$dir"
		find "$SYSDIR/kern" "$SYSDIR/dev" "$SYSDIR/arm" "$SYSDIR/arm64" -name '*_if.m' |
			while read -r file; do
				awk -f "$SYSDIR/tools/makeobjops.awk" "$file" -h
			done
		for part in -h -p -q; do
			awk -f "$SYSDIR/tools/vnode_if.awk" "$SYSDIR/kern/vnode_if.src" $part
		done
		ln -s "$SYSDIR/arm64/include" machine
		ln -s "$SYSDIR/arm/include" arm
	)
	printf '%s\n' "$SYSDIR" >"$dir/made-of"
}

# The options that a module without a kernel's build directory gets: those of every arm64 kernel
# that change what headers say.
options() {
	mkdir -p "$OUT/opt"
	printf '#define %s 1\n' SMP INTRNG MAC VIMAGE >"$OUT/opt/opt_global.h"
	printf '#define %s 1\n' FDT >"$OUT/opt/opt_platform.h"
	if [ -n "${KERNBUILDDIR:-}" ] &&
		grep -qE ' (INVARIANTS|WITNESS) ' "$KERNBUILDDIR/opt_global.h"; then echo debug; \
		else echo plain; fi >"$OUT/flavour"
}

# Flags of sys/conf/kmod.mk and kern.mk for arm64, but for FreeBSD's own -D__printf__, which
# Debian's clang does not know.
cflags() {
	local flags=(--target=aarch64-unknown-freebsd15.0 -O2 -pipe -std=gnu17
		-fno-strict-aliasing -nostdinc -D_KERNEL -DKLD_MODULE
		-DHAVE_KERNEL_OPTION_HEADERS -fno-common -fPIC -fno-omit-frame-pointer
		-momit-leaf-frame-pointer -fno-plt -mgeneral-regs-only -ffixed-x18
		-mbranch-protection=standard -mno-outline-atomics -ffreestanding -fwrapv
		-fstack-protector -Wall -Werror -Wstrict-prototypes -Wmissing-prototypes
		-Wpointer-arith -Wcast-qual -Wundef -Wno-pointer-sign -Wmissing-include-dirs
		-fdiagnostics-show-option -Wno-unknown-pragmas -Wswitch
		-Wno-error=tautological-compare -Wno-error=empty-body
		-Wno-error=parentheses-equality -Wno-error=shift-negative-value
		-Wno-address-of-packed-member -Wno-format-zero-length
		"-ffile-prefix-map=$TOP=drmkpi"
		-Isys -Isys/dev/drm/kpi/include -Isys/dev/drm/kpi/freebsd)
	if [ -n "$SYSDIR" ]; then
		flags+=("-I$TARGET/kmod/if" "-I$SYSDIR" "-I$SYSDIR/contrib/ck/include"
			"-I$SYSDIR/contrib/libfdt" "-ffile-prefix-map=$SYSDIR=/usr/src/sys")
	else
		local headers
		mapfile -t headers < <(mk/kmod-headers.sh)
		flags+=("${headers[@]}")
	fi
	if [ -n "${KERNBUILDDIR:-}" ]; then
		flags+=(-include "$KERNBUILDDIR/opt_global.h" "-I$KERNBUILDDIR")
	else
		flags+=(-include "$OUT/opt/opt_global.h" "-I$OUT/opt")
	fi
	printf '%s\n' "${flags[@]}" >"$OUT/cflags"
}

# One object per C source, both processors at work.
compile() {
	[ -n "$(sources)" ] || die "no C sources in sys/dev/drm/kpi/freebsd"
	find "$OUT/obj" -name '*.o' -delete
	cflags
	sources |
		OUT=$OUT xargs -P "$(nproc)" -I{} sh -c '
			object=$(printf %s "{}" | tr / - | sed "s/\.c$/.o/")
			xargs -d "\n" -a "$OUT/cflags" clang-19 -c "{}" \
				-o "$OUT/obj/$object" </dev/null'
}

# As kmod.mk: one relocatable object, all of its names made local (a module's exports are in its
# linker sets), then a shared object.
link() {
	local common=(-m aarch64elf -warn-common --build-id=sha1 --no-relax -zbti-report=error)
	ld.lld-19 "${common[@]}" -r -o "$OUT/drmkpi.kld" "$OUT"/obj/*.o "$OUT/rust.o"
	llvm-nm-19 -g --defined-only --format=just-symbols "$OUT/drmkpi.kld" >"$OUT/globals"
	llvm-objcopy-19 --localize-symbols="$OUT/globals" "$OUT/drmkpi.kld"
	# Calls within the module do not go through its linkage table.
	ld.lld-19 "${common[@]}" -Bshareable -Bsymbolic -znotext -znorelro \
		-o "$OUT/drmkpi.ko.full" "$OUT/drmkpi.kld"
	llvm-objcopy-19 --strip-debug "$OUT/drmkpi.ko.full" "$OUT/drmkpi.ko.new"
	mv "$OUT/drmkpi.ko.new" "$OUT/drmkpi.ko"
}

mk/need.sh build kmod
[ -z "${KERNBUILDDIR:-}" ] || [ -n "$SYSDIR" ] || die "KERNBUILDDIR needs SYSDIR"
rust
if [ -n "$SYSDIR" ]; then interfaces; fi
options
compile
link
size=$(stat -c %s "$OUT/drmkpi.ko")
from="headers of ${SYSDIR:-the ziglang wheel}${KERNBUILDDIR:+, options of $KERNBUILDDIR}"
say "kmod: $OUT/drmkpi.ko: $size bytes, $from"
mk/kmod-audit.sh "$OUT"
