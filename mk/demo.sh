#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs unmodified arm64 Mesa on each virtual board and prints one row for each client; pictures go to target/demo/BOARD-CLIENT.png.
# Fails when a client fails, when a job faults, or when the board counts a leak after the client has gone.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

BOARDS=${BOARDS:-rk3399}
CLIENTS=${CLIENTS:-gles_clear share}
out=$TARGET/demo
bad=0

# total NAME LOG: one number of the line `stats: total ioctls=N jobs=N ...`, or ? without one.
total() { sed -n "s/^stats: total .*\\b$1=\\([0-9]*\\).*/\\1/p" "$2" | tail -n 1 | grep . || printf '?\n'; }

# row BOARD CLIENT: runs it and prints its row.
row() {
	local log=$out/$1-$2.log status=0 renderer frames faults leaked result
	"$TARGET/release/drmboard" run --board "$1" --stats --png "$out/$1-$2.png" -- "$ARM64/$2" >"$log" 2>&1 || status=$?
	renderer=$(sed -n 's/^renderer: //p' "$log" | head -n 1)
	frames=$(sed -n 's/^frames \([0-9]*\) ok$/\1/p' "$log" | tail -n 1)
	faults=$(total faults "$log")
	leaked=$(total leaked "$log")
	result=ok
	if [ "$status" != 0 ] || [ "$faults" != 0 ] || [ "$leaked" != 0 ]; then
		result="failed ($status)"
		bad=1
	fi
	printf '%-8s %-12s %-28s %7s %7s %7s %7s  %s\n' \
		"$1" "$2" "${renderer:--}" "${frames:--}" "$(total jobs "$log")" "$faults" "$leaked" "$result"
	if [ "$result" != ok ]; then tail -n 15 "$log" | sed 's/^/    /'; fi
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
