#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs unmodified arm64 Mesa on each virtual board and prints one row for each client and each
# Debian whose Mesa it is; pictures go to target/demo/SUITE-BOARD-CLIENT.png, with captions. A row
# fails when its client fails, when it had fewer jobs than it says (or any where it says 0), when a
# submit was refused, when the model met what it does not know, when a job faults, or when the board
# counts a leak after the client has gone. BOARDS, CLIENTS and SUITES choose the rows; `mesa-next`
# is SUITES=sid.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

BOARDS=${BOARDS:-rk3399 imx8mq}
CLIENTS=${CLIENTS:-eglinfo gles_clear share session xwayland scene}
SUITES=${SUITES:-bookworm trixie}
out=$TARGET/demo
bad=0

# row SUITE BOARD CLIENT: runs it; mk/xtask judges what it said and prints its row.
row() {
	local name=$1-$2-$3 root status=0
	local log=$out/$name.log options=(--stats) command=("$ARM64/$3")
	root=$(suite_root "$1")
	case $3 in
	eglinfo) command=("$root/usr/bin/eglinfo") ;;
	gles_clear) options+=(--png "$out/$name.png") ;;
	session) command=(mk/session.sh here) ;;
	xwayland) command=(mk/session.sh here xwayland) ;;
	scene) command=(mk/scene.sh "$out/$name.png") ;;
	esac
	env "DRMBOARD_SYSROOT=$root" \
		"$TARGET/release/drmboard" run --board "$2" "${options[@]}" -- "${command[@]}" \
		>"$log" 2>&1 || status=$?
	xtask demo "$1" "$2" "$3" "$status" "$log" || bad=1
}

mk/build.sh
# shellcheck disable=SC2086 # the list is words
mk/sysroot.sh $SUITES
mkdir -p "$out"
rm -f "$out"/*.png "$out"/*.log
xtask demo header
for suite in $SUITES; do
	for board in $BOARDS; do
		for client in $CLIENTS; do row "$suite" "$board" "$client"; done
	done
done

# caption PICTURE: what is to be seen in it.
caption() {
	case $1 in
	*-gles_clear.png)
		say "the last frame of gles_clear: 1920x1080 pixels of #FE0180 with alpha 7F," \
			"as stored in the GPU's memory"
		;;
	*-scene.png)
		say "weston's screenshot: red, green, blue and amber, each a quarter, cleared by" \
			"the GPU, composed by weston with the CPU; checked, opaque"
		;;
	esac
}

say ""
say "The models of the GPUs run no shaders: clears and copies are exact, a draw by a shader"
say "(glmark2's scenes, weston's own drawing with GL) changes no pixel, and frame rates show how"
say "fast draws are accepted and checked, not how fast a GPU is."
say "pictures:"
for picture in "$out"/*.png; do
	if [ -e "$picture" ]; then say "  $picture: $(caption "$picture")"; fi
done
if [ "$bad" != 0 ]; then
	say "demo: some client failed; all that it said is in $out/DEBIAN-BOARD-CLIENT.log"
	exit 1
fi
