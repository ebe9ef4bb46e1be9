# SPDX-License-Identifier: BSD-2-Clause
# Sourced by the guest's init: runs the differential client on the stock driver. Transcripts are
# compressed, because the serial console is slow. Kernel command line: drmboard.seeds=A,B,C
# drmboard.calls=N drmboard.minor=N.
for seed in $(argument seeds | tr , ' '); do
	abi_calls run "$seed" "$(argument calls)" "$(argument minor)" \
		>/tmp/transcript 2>/tmp/errors || status=1
	tail -n 6 /tmp/errors
	echo "abi: begin $seed"
	gzip -9c /tmp/transcript | base64
	echo "abi: end $seed"
done
