# SPDX-License-Identifier: BSD-2-Clause
# kldunload -f, a hundred times in one boot, while programs open, create, poll and close files of
# all kinds.
. /vmtest/vm.sh
n=0
while [ "$n" -lt 100 ] && [ "$status" = 0 ]; do
	n=$((n + 1))
	vmctl load /modules/drmkpi.ko || status=1
	native_drm churn >/tmp/churn 2>&1 &
	churn=$!
	native_drm hold >/tmp/held 2>&1 &
	holder=$!
	sleep "0.$((n % 4 + 1))"
	vmctl unload drmkpi force || status=1
	for what in $churn $holder; do
		wait "$what" || {
			status=1
			sed "s/^/force100: /" /tmp/churn /tmp/held
		}
	done
done
echo "guest: forced $n times"
load
clear gles_clear 0
unload
exit "$status"
