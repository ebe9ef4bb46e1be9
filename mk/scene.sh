#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# scene.sh PICTURE: on the board that this process is on, a window of known contents in weston, and
# weston's screenshot of it as PICTURE. Fails unless that is exactly the scene, opaque and in the
# right colours. The client clears its pixels on the GPU; weston composes them with the CPU
# (pixman), for what it draws with the GPU it draws by shaders, which the models do not run.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. mk/progress.sh

SCENE="#ff0000ff 19200 0,0 160x120
#00ff00ff 19200 160,0 160x120
#0000ffff 19200 0,120 160x120
#ffc000ff 19200 160,120 160x120"

picture=$(realpath -m "$1")
run=$(mktemp -d)
export XDG_RUNTIME_DIR=$run
finish() {
	local pid
	for pid in $(jobs -pr); do kill -KILL "$pid" 2>/dev/null || :; done
	rm -rf "$run"
}
trap finish EXIT

fail() {
	tail -n 20 "$run"/*.log 2>/dev/null || :
	die "$@"
}

# Nothing but the window. A kiosk shows none without a seat, and there are no input devices.
cat >"$run/weston.ini" <<EOF
[core]
idle-time=0
[input-method]
path=
[shell]
panel-position=none
animation=none
startup-animation=none
EOF
"$RUNROOT/usr/bin/weston" --debug --backend=headless-backend.so --use-pixman --width=320 \
	--height=240 --shell=desktop-shell.so \
	--config="$run/weston.ini" --socket=scene --log="$run/weston.log" >"$run/weston.out.log" \
	2>&1 &
weston=$!
until_true "$weston" "$run/weston.log" test -S "$run/scene" ||
	fail "weston does not start"
export WAYLAND_DISPLAY=scene
"$ARM64/scene" >"$run/scene.log" 2>&1 &
scene=$!
until_true "$scene" "$run/scene.log" grep -qs '^shown$' "$run/scene.log" ||
	fail "the scene is not shown"

# is_right: whether weston shows the scene. A window comes in within its first frames; a screenshot
# in between shows less of it.
is_right() {
	rm -f "$run"/*.png
	(cd "$run" && exec "$RUNROOT/usr/bin/weston-screenshooter") >"$run/screenshot.log" 2>&1 &
	until_ended "$!" "$run/screenshot.log" || fail "no screenshot ($?)"
	seen=$("$TARGET/release/drmboard" colours "$run"/*.png) ||
		fail "a picture that cannot be read"
	[ "$seen" = "$SCENE" ]
}
until_true "$scene" "$run/scene.log" is_right || fail "weston shows another scene: $seen"
mkdir -p "$(dirname -- "$picture")"
cp "$run"/*.png "$picture"
kill -TERM "$weston"
until_ended "$weston" "$run/weston.log" || fail "weston ended with $?"
until_ended "$scene" "$run/scene.log" || fail "the client ended with $?"
grep '^renderer: ' "$run/scene.log"
say "note: four colours cleared by the GPU, composed by weston's CPU renderer: exact"
