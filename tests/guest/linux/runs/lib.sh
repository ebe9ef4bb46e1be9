# SPDX-License-Identifier: BSD-2-Clause
# Sourced by the guest's scripts. `status` is 0 unless a step failed.
status=0

# run NAME EXPECTED CMD...: runs a client. Its lines get the prefix NAME, and its exit status must
# be EXPECTED, unless that is `any`.
run() {
	name=$1 expected=$2
	shift 2
	"$@" >/tmp/out 2>&1
	ended=$?
	sed "s/^/$name: /" /tmp/out
	echo "guest: $name ended with $ended"
	if [ "$expected" != any ] && [ "$ended" != "$expected" ]; then status=1; fi
}

# clear NAME EXPECTED: runs the client that compares every pixel. Without the variable, Mesa on Mali
# writes a compressed image and draws from it to read it back, which takes shaders that the model
# does not execute.
clear() { run "$1" "$2" env PAN_MESA_DEBUG=linear gles_clear; }
