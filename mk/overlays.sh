#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# fdt-overlays/*.dtso: each compiles as FreeBSD would compile it, applies to Debian's tree of its
# board (made by others, without __symbols__) and to that tree made as old as those that the overlay
# is for, and leaves the GPU's node as it is in Linux. What a tree must have to take an overlay at
# all is taken away once, too. Prints a line for each check and fails when one fails; what comes out
# is in target/overlays.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. mk/guest.sh

out=$TARGET/overlays
bad=0

# result NAME WHY: WHY empty when all is well.
result() {
	if [ -z "$2" ]; then say "overlays: $1: ok"; else
		say "overlays: $1: FAILED: $2"
		bad=1
	fi
}

# compiled NAME: into $out/NAME.dtbo, as the kernel's make_dtbo.sh does it.
compiled() {
	cpp -P -x assembler-with-cpp -include "fdt-overlays/$1.dtso" /dev/null |
		dtc -@ -O dtb -o "$out/$1.dtbo" - 2>"$out/$1.log"
}

# node DTB: the GPU's node and its power domain, in a form that compares.
node() {
	local text=$out/node.dts domain
	dtc -q -I dtb -O dts -o "$text" "$1"
	awk -v node="$gpu" -f mk/fdtnode.awk "$text" | LC_ALL=C sort >"$out/node"
	cat "$out/node"
	domain=$(sed -n 's/^power-domains \([^:]*\).*/\1/p' "$out/node")
	awk -v node="$domain" -f mk/fdtnode.awk "$text" | sed -n 's/^power-supply/domain &/p'
}

# unsound NODE: what the driver would miss there.
unsound() {
	local want
	for want in '^status "okay"$' '^interrupts ' '^clocks /' '^power-domains /' \
		"${needed[@]}"; do
		if ! grep -qE -- "$want" "$1"; then say "no $want"; fi
	done
	grep -E 'nothing|no regulator' "$1" || :
}

# applied NAME BASE: says what is wrong with the tree that comes of it.
applied() {
	if ! fdtoverlay -i "$2" -o "$out/merged.dtb" "$out/$1.dtbo" >>"$out/$1.log" 2>&1; then
		say "does not apply, see ${out#"$TOP"/}/$1.log"
		return
	fi
	node "$out/merged.dtb" >"$out/merged.node"
	unsound "$out/merged.node"
	diff "$out/mainline.node" "$out/merged.node" || :
}

# board NAME DTB: uses gpu, needed, and the functions older and unfit, which edit a tree in place.
board() {
	local name=$1 base tree
	base=$(echo "$linux"/usr/lib/linux-image-*/"$2")
	if ! compiled "$name" || [ -s "$out/$name.log" ]; then
		result "$name" "dtc: $(cat "$out/$name.log")"
		return
	fi
	# The loader takes an overlay for a tree that has one of its names.
	tree=$(fdtget "$out/$name.dtbo" / compatible)
	case " $(fdtget "$base" / compatible) " in
	*" $tree "*) result "$name for $tree" "" ;;
	*) result "$name" "the board is not $tree" ;;
	esac
	node "$base" >"$out/mainline.node"
	result "$name on Linux's tree" "$(applied "$name" "$base")"
	cp "$base" "$out/older.dtb"
	older "$out/older.dtb"
	if node "$out/older.dtb" | cmp -s "$out/mainline.node" -; then
		result "$name" "the older tree is not older"
	fi
	result "$name on an older tree" "$(applied "$name" "$out/older.dtb")"
	cp "$base" "$out/unfit.dtb"
	unfit "$out/unfit.dtb"
	if fdtoverlay -i "$out/unfit.dtb" -o "$out/merged.dtb" "$out/$name.dtbo" \
		>>"$out/$name.log" 2>&1; then
		result "$name on a tree without what it names" "it applies"
	else
		result "$name on a tree without what it names" ""
	fi
}

mk/need.sh overlays
mkdir -p "$out"
# By hand this may be the first thing that is made.
mk/sysroot.sh
if ! (stock_linux); then
	for file in fdt-overlays/*.dtso; do
		name=${file##*/}
		name=${name%.dtso}
		if compiled "$name"; then
			result "$name" ""
		else
			result "$name" "dtc: $(cat "$out/$name.log")"
		fi
	done
	say "overlays: on Linux's trees: skipped: Debian's kernel cannot be had"
	exit "$bad"
fi

gpu=/gpu@ff9a0000
needed=('^mali-supply /' '^operating-points-v2 "operating-points-v2" [0-9]+Hz@[0-9]+')
older() { fdtput -d "$1" "$gpu" mali-supply && fdtput -t s "$1" "$gpu" status disabled; }
unfit() { fdtput -r "$1" /i2c@ff3c0000/regulator@41; }
board rk3399-rockpro64-gpu rockchip/rk3399-rockpro64.dtb
board rk3399-pinebook-pro-gpu rockchip/rk3399-pinebook-pro.dtb
board rk3399-rock-pi-4-gpu rockchip/rk3399-rock-pi-4b.dtb

gpu=/soc@0/gpu@38000000
needed=('^assigned-clock-rates( [0-9]+){3} 400000000 0$' '^domain power-supply /')
older() { fdtput -t u "$1" "$gpu" assigned-clock-rates 800000000 800000000 800000000 800000000 0; }
unfit() { fdtput -r "$1" "$gpu"; }
board imx8mq-evk-gpu freescale/imx8mq-evk.dtb
board imx8mq-mnt-reform2-gpu freescale/imx8mq-mnt-reform2.dtb

for file in fdt-overlays/*.dtso; do
	name=${file##*/}
	if [ ! -e "$out/${name%.dtso}.dtbo" ]; then result "${name%.dtso}" "no check"; fi
done
exit "$bad"
