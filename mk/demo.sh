#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs unmodified arm64 Mesa on each virtual board and prints one row for each client; pictures go to target/demo/BOARD-CLIENT.png.
# Fails when a client fails, when a job faults, or when the board counts a leak after the client has gone.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

BOARDS=${BOARDS:-rk3399 imx8mq}
CLIENTS=${CLIENTS:-eglinfo gles_clear share session}
out=$TARGET/demo
bad=0

# total NAME LOG: one number of the line `stats: total ioctls=N jobs=N ...`, or ? without one.
total() { sed -n "s/^stats: total .*\\b$1=\\([0-9]*\\).*/\\1/p" "$2" | tail -n 1 | grep . || printf '?\n'; }

# row BOARD CLIENT: runs it and prints its row.
row() {
	local log=$out/$1-$2.log options=(--stats) command=("$ARM64/$2") settings=() wanted=0 status=0
	local renderer frames note faults leaked result
	case $2 in
	eglinfo)
		command=("$SYSROOT/usr/bin/eglinfo")
		# It ends with the number of platforms that it cannot open: Wayland and X11, as no display server runs here.
		wanted=2
		;;
	gles_clear)
		options+=(--png "$out/$1-$2.png")
		# Without this Mesa clears a compressed (AFBC) image and reads it back by drawing from it. The board's GPU model
		# clears and keeps time but runs no shaders, so the draw would leave nothing to compare.
		settings=(PAN_MESA_DEBUG=linear)
		;;
	session) command=(mk/session.sh here) ;;
	esac
	env "${settings[@]}" "$TARGET/release/drmboard" run --board "$1" "${options[@]}" -- "${command[@]}" >"$log" 2>&1 || status=$?
	renderer=$(sed -n 's/^renderer: //p; s/^EGL driver name: //p' "$log" | head -n 1)
	frames=$(sed -n 's/^frames \([0-9]*\) ok$/\1/p' "$log" | tail -n 1)
	note=$(sed -n 's/^note: //p' "$log" | tail -n 1)
	faults=$(total faults "$log")
	leaked=$(total leaked "$log")
	result=ok${note:+ ($note)}
	if [ "$status" != "$wanted" ] || [ "$faults" != 0 ] || [ "$leaked" != 0 ]; then
		result="failed ($status)"
	fi
	# Mesa falls back to a software renderer without a word.
	case $renderer in
	*swrast* | *llvmpipe* | *softpipe*) result="failed (not on the board's GPU)" ;;
	esac
	printf '%-8s %-12s %-28s %7s %7s %7s %7s  %s\n' \
		"$1" "$2" "${renderer:--}" "${frames:--}" "$(total jobs "$log")" "$faults" "$leaked" "$result"
	case $result in
	failed*)
		bad=1
		tail -n 15 "$log" | sed 's/^/    /'
		;;
	esac
}

mk/build.sh
mkdir -p "$out"
rm -f "$out"/*.png "$out"/*.log
printf '\n%-8s %-12s %-28s %7s %7s %7s %7s  %s\n' board client renderer frames jobs faults leaked result
for board in $BOARDS; do
	for client in $CLIENTS; do row "$board" "$client"; done
done
pictures=$(find "$out" -name '*.png' | sort)
printf '\nlogs: %s\npictures: %s\n' "$out" "${pictures:-none}"
exit "$bad"
