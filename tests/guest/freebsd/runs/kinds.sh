# SPDX-License-Identifier: BSD-2-Clause
# All kinds of clients at once, for 40 s: Mesa draws, shares buffers and is killed, native programs
# make requests and files of all kinds, memory runs low, the device is suspended and resumed; then
# kldunload -f.
. /vmtest/vm.sh
export PAN_MESA_DEBUG=linear
end=$(($(date +%s) + 40))
# again NAME EXPECTED CMD...: repeats a command until the time has passed; its exit status must be
# EXPECTED.
again() {
	local name=$1 expected=$2 rounds=0 ended
	shift 2
	while [ "$(date +%s)" -lt "$end" ]; do
		"$@" >"/tmp/out.$name" 2>&1
		ended=$?
		if [ "$ended" != "$expected" ]; then
			sed "s/^/$name: /" "/tmp/out.$name"
			echo "guest: $name ended with $ended"
			exit 1
		fi
		rounds=$((rounds + 1))
	done
	echo "guest: $name ended with 0"
	echo "$name: $rounds rounds"
}
killed() {
	gles_clear --frames 100000 >/dev/null 2>&1 &
	sleep "1.$1"
	kill -9 $!
	wait $!
}
blink() {
	vmctl suspend "${driver}0" && sleep 0.1 && vmctl resume "${driver}0" && sleep 1
}
load
rounds=
again draw 0 gles_clear --frames 15 &
rounds="$rounds $!"
again share 0 share &
rounds="$rounds $!"
again native 0 native_drm beside &
rounds="$rounds $!"
again kill 137 killed 3 &
rounds="$rounds $!"
again blink 0 blink &
rounds="$rounds $!"
again lowmem 0 vmctl set debug.vm_lowmem 1 &
rounds="$rounds $!"
native_drm churn >/tmp/churn 2>&1 &
churn=$!
# shellcheck disable=SC2086 # several process ids
wait $rounds
check counters 0 vmctl sysctl "dev.$driver.0"
check forced 0 vmctl unload drmkpi force
wait "$churn"
echo "guest: churn ended with $?"
sed 's/^/churn: /' /tmp/churn
load
clear gles_clear 0
unload
exit "$status"
