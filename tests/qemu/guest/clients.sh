# SPDX-License-Identifier: BSD-2-Clause
# Read by init: the clients, one after the other. `status` is 0 when all of them ended as they should.
status=0

# run NAME EXPECTED CMD...: runs a client; its lines begin with its name.
run() {
	name=$1 expected=$2
	shift 2
	"$@" >/tmp/out 2>&1
	ended=$?
	sed "s/^/$name: /" /tmp/out
	echo "guest: $name ended with $ended"
	if [ "$ended" != "$expected" ]; then status=1; fi
}

mark 1
ls /dev/dri
# It ends with the number of platforms that it cannot open: Wayland and X11.
run eglinfo 2 /usr/bin/eglinfo
mark 2
run gles_clear 0 env PAN_MESA_DEBUG=linear /usr/bin/gles_clear
mark 3
run share 0 /usr/bin/share
mark 4
