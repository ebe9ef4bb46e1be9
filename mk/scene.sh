#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# scene.sh PICTURE: on the board that this process is on, a window of known contents in weston, and
# weston's screenshot of it as PICTURE. Fails unless that is exactly the scene, opaque and in the
# right colours. The client clears its pixels on the GPU; weston composes them with the CPU
# (pixman), for what it draws with the GPU it draws by shaders, which the models do not run.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

SCENE="#ff0000ff 19200 0,0 160x120
#00ff00ff 19200 160,0 160x120
#0000ffff 19200 0,120 160x120
#ffc000ff 19200 160,120 160x120"

picture=$(realpath -m "$1")
run=$(mktemp -d)
export XDG_RUNTIME_DIR=$run
weston=
scene=
finish() {
	for pid in $scene $weston; do kill -KILL "$pid" 2>/dev/null || :; done
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
timeout 60 bash -c 'until [ -S "$0" ]; do sleep 0.1; done' "$run/scene" ||
	fail "weston does not start"
export WAYLAND_DISPLAY=scene
"$ARM64/scene" >"$run/scene.log" 2>&1 &
scene=$!
# A window comes in within its first frames; a screenshot in between shows less of it.
timeout 60 bash -c 'until grep -qs "^shown$" "$0"; do sleep 0.1; done' "$run/scene.log" ||
	fail "the scene is not shown"
for _ in 1 2 3 4 5; do
	rm -f "$run"/*.png
	(cd "$run" && timeout 60 "$RUNROOT/usr/bin/weston-screenshooter") >"$run/screenshot.log" \
		2>&1 || fail "no screenshot ($?)"
	seen=$("$TARGET/release/drmboard" colours "$run"/*.png) ||
		fail "a picture that cannot be read"
	if [ "$seen" = "$SCENE" ]; then break; fi
	sleep 0.5
done
[ "$seen" = "$SCENE" ] || fail "weston shows another scene: $seen"
mkdir -p "$(dirname -- "$picture")"
cp "$run"/*.png "$picture"
kill -TERM "$weston"
wait "$weston" || fail "weston ended with $?"
weston=
wait "$scene" || fail "the client ended with $?"
grep '^renderer: ' "$run/scene.log"
say "note: four colours cleared by the GPU, composed by weston's CPU renderer: exact"
