# SPDX-License-Identifier: BSD-2-Clause
# Read by init, for the scripts: `status` is 0 as long as all of it went as it should.
status=0

# run NAME EXPECTED CMD...: a client; its lines begin with NAME, and its exit status has to be
# EXPECTED, or is `any`.
run() {
	name=$1 expected=$2
	shift 2
	"$@" >/tmp/out 2>&1
	ended=$?
	sed "s/^/$name: /" /tmp/out
	echo "guest: $name ended with $ended"
	if [ "$expected" != any ] && [ "$ended" != "$expected" ]; then status=1; fi
}

# clear NAME EXPECTED: the client that compares every pixel. Without the variable Mesa writes a
# compressed image on Mali and reads it back by drawing from it, which takes shaders.
clear() { run "$1" "$2" env PAN_MESA_DEBUG=linear gles_clear; }
