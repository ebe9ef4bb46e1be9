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
FORMAT='%-8s %-9s %-10s %-24s %7s %12s %7s %7s %6s %6s  %s\n'
out=$TARGET/demo
bad=0

# total NAME LOG: one number of the line `stats: total ioctls=N jobs=N ...`, or ? without one.
total() {
	sed -n "s/^stats: total .*\\b$1=\\([0-9]*\\).*/\\1/p" "$2" | tail -n 1 | grep . ||
		printf '?\n'
}

# at_least CLIENT: how many jobs it has at the least; 0 is none at all.
at_least() {
	case $1 in
	eglinfo) printf 0 ;;
	# One for each frame that is cleared and read back.
	gles_clear) printf 15 ;;
	share) printf 1 ;;
	# One for each colour.
	scene) printf 4 ;;
	# Scenes last as long on a slow machine as on a fast one, and have fewer frames.
	session | xwayland) printf 50 ;;
	*) die "no client $1" ;;
	esac
}

# row SUITE BOARD CLIENT: runs it and prints its row.
row() {
	local name=$1-$2-$3 root
	local log=$out/$name.log options=(--stats) command=("$ARM64/$3") wanted=0 status=0
	local renderer frames note jobs least refused unknown faults leaked result
	root=$(suite_root "$1")
	least=$(at_least "$3")
	case $3 in
	eglinfo)
		command=("$root/usr/bin/eglinfo")
		# It ends with the number of platforms that it cannot open: Wayland and X11, as no
		# display server runs here.
		wanted=2
		;;
	gles_clear)
		options+=(--png "$out/$name.png")
		;;
	session) command=(mk/session.sh here) ;;
	xwayland) command=(mk/session.sh here xwayland) ;;
	scene) command=(mk/scene.sh "$out/$name.png") ;;
	esac
	env "DRMBOARD_SYSROOT=$root" \
		"$TARGET/release/drmboard" run --board "$2" "${options[@]}" -- "${command[@]}" \
		>"$log" 2>&1 || status=$?
	renderer=$(sed -n 's/^renderer: //p; s/^EGL driver name: //p' "$log" | head -n 1)
	frames=$(sed -n 's/^frames \([0-9]*\) ok$/\1/p' "$log" | tail -n 1)
	note=$(sed -n 's/^note: //p' "$log" | tail -n 1)
	jobs=$(total jobs "$log")
	refused=$(total refused "$log")
	unknown=$(total unknown "$log")
	faults=$(total faults "$log")
	leaked=$(total leaked "$log")
	result=ok${note:+ ($note)}
	if [ "$status" != "$wanted" ]; then
		result="failed (status $status)"
	elif [ "$jobs" = '?' ] || [ "$jobs" -lt "$least" ] || { [ "$least" = 0 ] &&
		[ "$jobs" != 0 ]; }; then
		result="failed (jobs)"
	elif [ "$refused" != 0 ] || grep -q 'not permitted' "$log"; then
		result="failed (a submit was refused)"
	elif [ "$unknown" != 0 ]; then
		result="failed (something that the model does not know)"
	elif [ "$faults" != 0 ] || [ "$leaked" != 0 ]; then
		result="failed (faults or leaks)"
	fi
	# Mesa falls back to a software renderer without a word.
	case $renderer in
	*swrast* | *llvmpipe* | *softpipe*) result="failed (not on the board's GPU)" ;;
	esac
	if [ "$least" = 0 ]; then least=none; else least="$least+"; fi
	# shellcheck disable=SC2059 # it is the table's
	printf "$FORMAT" "$2" "$1" "$3" "${renderer:--}" "${frames:--}" "$jobs of $least" \
		"$refused" "$unknown" "$faults" "$leaked" "$result"
	case $result in
	failed*)
		bad=1
		tail -n 15 "$log" | sed 's/^/    /'
		;;
	esac
}

mk/build.sh
# shellcheck disable=SC2086 # the list is words
mk/sysroot.sh $SUITES
mkdir -p "$out"
rm -f "$out"/*.png "$out"/*.log
# shellcheck disable=SC2059
printf "\n$FORMAT" board debian client renderer frames jobs refused unknown faults leaked result
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
