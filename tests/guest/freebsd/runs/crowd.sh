# SPDX-License-Identifier: BSD-2-Clause
# For a minute, four loops each start clients that draw, one after the other.
. /vmtest/vm.sh
export PAN_MESA_DEBUG=linear
one() {
	local rounds=0 end=$(($(date +%s) + 60))
	while [ "$(date +%s)" -lt "$end" ]; do
		if ! gles_clear --frames 15 >"/tmp/out$1" 2>&1 || ! share >>"/tmp/out$1" 2>&1; then
			sed "s/^/crowd$1: /" "/tmp/out$1"
			exit 1
		fi
		rounds=$((rounds + 1))
	done
	echo "crowd$1: $rounds rounds"
}
load
for n in 1 2 3 4; do
	one "$n" &
	eval "client$n=$!"
done
for n in 1 2 3 4; do
	eval "wait \$client$n"
	echo "guest: crowd$n ended with $?"
done
check counters 0 vmctl sysctl "dev.$driver.0"
unload
exit "$status"
