#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# session.sh [BOARD]: a compositor and its client, both Debian's arm64 programs, on one virtual
# board (rk3399) to their end. session.sh here [CLIENT]: the same on the board that this process is
# on already; the caller checks what drmboard counts. The client is glmark2, or xwayland: glxgears
# on an X server that is a client of weston's. glmark2 hands its buffers to headless weston as
# dma-bufs. weston draws into a pbuffer, which Mesa flushes when it is read: so a screenshot is
# taken, for which weston's jobs have to wait for those of glmark2.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. mk/progress.sh

# What glmark2 runs; mesa-next has a longer list.
SCENES=${SCENES:-build texture shading:shading=phong effect2d desktop:effect=blur shadow}
# Seconds of each. A scene is one line of its log, so that PATIENCE has to be several times as long.
DURATION=${DURATION:-0.5}

if [ "${1:-rk3399}" != here ]; then
	mk/build.sh
	log=$TARGET/session.log
	"$TARGET/release/drmboard" run --board "${1:-rk3399}" --stats -- "$TOP/mk/session.sh" here |
		tee "$log"
	grep -Eq '^stats: total .* faults=0 .* leaked=0$' "$log" ||
		die "faults or leaks: see the last line"
	exit 0
fi

# The runtime directory holds the socket, whose name has at most 107 bytes.
run=$(mktemp -d "$TARGET/session.XXXXXX")
if [ "${#run}" -gt 90 ]; then
	rmdir "$run"
	run=$(mktemp -d)
fi
export XDG_RUNTIME_DIR=$run
# Mesas of several versions, and of several runs at once, had one cache of shaders otherwise.
export XDG_CACHE_HOME=$run/cache
client=${2:-glmark2}
finish() {
	local pid
	for pid in $(jobs -pr); do kill -KILL "$pid" 2>/dev/null || :; done
	rm -rf "$run"
}
trap finish EXIT

# fail WHY: what both programs said, then why that is wrong.
fail() {
	tail -n 40 "$run/weston.log" "$run/weston.out" "$run/glmark2.log" "$run/server.log" \
		"$run/gears.log" \
		"$run/screenshot.log" 2>/dev/null || :
	die "$@"
}

# program NAME: the sysroot's, on a board without one its own.
program() {
	if [ -e "$RUNROOT/usr/bin/$1" ]; then
		printf '%s' "$RUNROOT/usr/bin/$1"
	else
		command -v "$1" || die "no $1"
	fi
}

# No helper clients: an input method, or a screen that goes blank.
printf '[core]\nidle-time=0\n[input-method]\npath=\n' >"$run/weston.ini"
# The screenshot interface is one of --debug. A kiosk's windows must fit the output, so both have
# one size.
"$(program weston)" --debug --backend=headless-backend.so --use-gl --width=320 --height=240 \
	--shell=kiosk-shell.so \
	--config="$run/weston.ini" --socket=session --log="$run/weston.log" >"$run/weston.out" \
	2>&1 &
weston=$!
until_true "$weston" "$run/weston.log" test -S "$run/session" || fail "weston does not start"

export WAYLAND_DISPLAY=session
# Fonts, keymaps and other files of X are below the root that the programs are from.
xkb=$RUNROOT/usr/share/X11/xkb
if [ ! -d "$xkb" ]; then xkb=/usr/share/X11/xkb; fi

start_glmark2() {
	local scene scenes=()
	for scene in $SCENES; do scenes+=(-b "$scene:duration=$DURATION"); done
	"$(program glmark2-es2-wayland)" --size 320x240 "${scenes[@]}" \
		>"$run/glmark2.log" 2>&1 &
	glmark2=$!
	# A line is begun when its scene is.
	until_true "$glmark2" "$run/glmark2.log" grep -qs '^\[texture\]' "$run/glmark2.log" ||
		fail "glmark2 does not get to its second scene"
}

end_glmark2() {
	local status=0 score scenes wanted
	until_ended "$glmark2" "$run/glmark2.log" || status=$?
	[ "$status" = 0 ] || fail "glmark2 ended with $status"
	theirs=$(sed -n 's/.*GL_RENDERER: *//p' "$run/glmark2.log")
	score=$(sed -n 's/.*glmark2 Score: \([0-9]*\).*/\1/p' "$run/glmark2.log")
	[ -n "$score" ] || fail "glmark2 gave no score"
	# A frame may take longer than a second, which is FPS: 0.
	scenes=$(grep -c '^\[.* FPS: [0-9]' "$run/glmark2.log" || :)
	wanted=$(wc -w <<<"$SCENES")
	[ "$scenes" = "$wanted" ] || fail "$scenes of $wanted scenes ran"
	note="glmark2 score $score, $scenes scenes, no shader is run"
}

start_xwayland() {
	# It chooses a free number, and prints it when it can be used.
	"$(program Xwayland)" -displayfd 9 -ac -noreset -xkbdir "$xkb" 9>"$run/display" \
		>"$run/server.log" 2>&1 &
	server=$!
	until_true "$server" "$run/server.log" grep -qs . "$run/display" ||
		fail "Xwayland does not start"
	DISPLAY=:$(cat "$run/display") "$(program glxgears)" -info >"$run/gears.log" 2>&1 &
	gears=$!
	until_true "$gears" "$run/gears.log" grep -qs 'frames in' "$run/gears.log" ||
		fail "glxgears does not turn"
}

end_xwayland() {
	kill -TERM "$gears" 2>/dev/null || fail "glxgears is gone"
	until_ended "$gears" "$run/gears.log" || :
	kill -TERM "$server" 2>/dev/null || fail "Xwayland is gone"
	until_ended "$server" "$run/server.log" || fail "Xwayland ended with $?"
	theirs=$(sed -n 's/^GL_RENDERER *= *//p' "$run/gears.log")
	note="glxgears: $(sed -n 's/ in .*//p' "$run/gears.log" | head -n 1), no shader is run"
}

"start_$client"
(cd "$run" && exec "$(program weston-screenshooter)") >"$run/screenshot.log" 2>&1 &
until_ended "$!" "$run/screenshot.log" || fail "no screenshot ($?)"
picture=$(find "$run" -name '*.png' | wc -l)
"end_$client"
status=0
kill -TERM "$weston" 2>/dev/null || fail "weston is gone"
until_ended "$weston" "$run/weston.log" || status=$?
[ "$status" = 0 ] || fail "weston ended with $status"

[ "$picture" = 1 ] || fail "$picture screenshots"
ours=$(sed -n 's/.* GL renderer: //p' "$run/weston.log")
case $ours in
'' | *swrast* | *llvmpipe* | *softpipe*) fail "weston's renderer: ${ours:-none}" ;;
esac
[ "$theirs" = "$ours" ] || fail "$client's renderer: ${theirs:-none}, weston's: $ours"
say "renderer: $ours"
say "note: $note"
