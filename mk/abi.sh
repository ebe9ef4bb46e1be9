#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The user ABI, differentially: calls made from seeds go to Debian's stock driver in a guest and to
# ours on the host, on the same GPU models, and the transcripts have to be equal but for what
# tests/data/abi/BOARD.list allows. `abi.sh self` runs ours only, natively and as an arm64 program,
# twice each: the transcripts have to be the same. BOARDS="rk3399 imx8mq", SEEDS="1 2 3", CALLS=N
# (of each seed). LINUX=sid takes the kernel of another release of Debian and BOARD-sid.list, and
# MINOR says which minor version of panfrost's user ABI that driver has. Everything comes out in
# target/abi. What the guest runs comes from mk/crosscheck.sh, which is asked for it.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. mk/guest.sh

BOARDS=${BOARDS:-rk3399 imx8mq}
SEEDS=${SEEDS:-1 2 3 4 5}
CALLS=${CALLS:-10000}
out=$TARGET/abi
client=$TARGET/release/abi_calls
case $LINUX in
'') MINOR=${MINOR:-2} ;;
trixie) MINOR=${MINOR:-3} ;;
*) MINOR=${MINOR:-6} ;;
esac
bad=0

# ours BOARD SEED FILE PROGRAM: a transcript of our driver.
ours() {
	"$TARGET/release/drmboard" run --board "$1" -- "$4" run "$2" "$CALLS" "$MINOR" >"$3" \
		2>"$3.errors" || {
		say "abi: $1, seed $2: the client failed:"
		tail -n 5 "$3.errors"
		bad=1
	}
}

# self: our driver answers alike each time.
self() {
	local board seed kind program list
	for board in $BOARDS; do
		for seed in $SEEDS; do
			for kind in x86_64 aarch64 again; do
				program=$client
				if [ "$kind" = aarch64 ]; then program=$ARM64/abi_calls; fi
				ours "$board" "$seed" "$out/$board-$seed-$kind" "$program"
				# What is no file of the board's goes to qemu-user, which does not
				# know all requests.
				list=/dev/null
				if [ "$kind" = aarch64 ]; then
					list=tests/data/abi/qemu-user.list
				fi
				if ! "$client" compare "$out/$board-$seed-x86_64" \
					"$out/$board-$seed-$kind" "$list" \
					>"$out/$board-$seed-$kind.differences"; then
					say "abi: $board, seed $seed: $kind differs from the first"
					head -n 10 "$out/$board-$seed-$kind.differences"
					bad=1
				fi
			done
			say "$board seed $seed: $(wc -l <"$out/$board-$seed-x86_64") lines"
		done
	done
}

# initramfs: what the guest runs from.
initramfs() {
	local root=$out/root name
	rm -rf "$root"
	mkdir -p "$root"/{bin,modules,crosscheck,usr/bin,"$libdir"}
	ln -s usr/lib "$root/lib"
	ln -s aarch64-linux-gnu/ld-linux-aarch64.so.1 "$root/usr/lib/ld-linux-aarch64.so.1"
	cp "$linux/bin/busybox" "$root/bin/"
	install -m 755 "tests/guest/linux/init" "$root/init"
	cp "tests/guest/linux/runs/lib.sh" "$root/crosscheck/"
	cp tests/data/abi/guest.sh "$root/crosscheck/abi.sh"
	mali_modules=$(kernel_modules "$root/modules" fixed panfrost)
	vivante_modules=$(kernel_modules "$root/modules" fixed etnaviv)
	cp "$ARM64/abi_calls" "$root/usr/bin/"
	for name in ld-linux-aarch64.so.1 libc.so.6 libgcc_s.so.1; do
		cp -L "$SYSROOT/$libdir/$name" "$root/$libdir/"
	done
	(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc --quiet) >"$out/initrd"
	rm -rf "$root"
}

# theirs BOARD: transcripts of the stock driver, $out/BOARD-SEED-linux for every seed.
theirs() {
	local board=$1 log=$out/$1-linux.log seed
	local modules=$vivante_modules
	local calls="drmboard.calls=$CALLS drmboard.minor=$MINOR drmboard.seeds=${SEEDS// /,}"
	case $board in rk3399 | mali-*) modules=$mali_modules ;; esac
	"$TARGET/release/drmboard" vm --board "$board" --kernel \
		"$(echo "$linux"/boot/vmlinuz-*)" --initrd "$out/initrd" \
		--append "drmboard.modules=$modules drmboard.run=abi.sh $calls quiet" \
		--timeout "${TIMEOUT:-900}" >"$log" 2>&1 || {
		say "abi: $board: the guest failed, see $log:"
		grep -v '^[A-Za-z0-9+/=]*.$' "$log" | tail -n 10
		bad=1
	}
	for seed in $SEEDS; do
		tr -d '\r' <"$log" | sed -n "/^abi: begin $seed\$/,/^abi: end $seed\$/p" |
			grep -E '^[A-Za-z0-9+/=]+$' | base64 -d 2>/dev/null |
			gzip -dc >"$out/$board-$seed-linux" || {
			say "abi: $board, seed $seed: no transcript of the stock driver"
			bad=1
		}
	done
}

versus() {
	local board seed began
	for board in $BOARDS; do
		began=$SECONDS
		theirs "$board"
		: >"$out/$board-linux"
		: >"$out/$board-ours"
		for seed in $SEEDS; do
			ours "$board" "$seed" "$out/$board-$seed-ours" "$client"
			sed "s/^/$seed./" "$out/$board-$seed-linux" >>"$out/$board-linux"
			sed "s/^/$seed./" "$out/$board-$seed-ours" >>"$out/$board-ours"
		done
		"$client" compare "$out/$board-linux" "$out/$board-ours" \
			"tests/data/abi/$board${LINUX:+-$LINUX}.list" >"$out/$board.differences" ||
			bad=1
		say "$board: $(tail -n 1 "$out/$board.differences"), $((SECONDS - began)) s"
	done
}

mkdir -p "$out"
say "build: the differential client"
cargo build --release --manifest-path tests/guest/clients/Cargo.toml --bin abi_calls
mk/arm64.sh build --release --manifest-path tests/guest/clients/Cargo.toml --bin abi_calls
case ${1:-} in
self) self ;;
*)
	mk/crosscheck.sh packages
	cargo build --release -p qemu_board
	initramfs
	versus
	;;
esac
exit "$bad"
