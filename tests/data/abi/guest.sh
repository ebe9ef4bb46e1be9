# SPDX-License-Identifier: BSD-2-Clause
# Read by the guest's init: the differential client on the stock driver. Its transcripts are too long for a serial line as they are.
# Kernel command line: drmboard.seeds=A,B,C drmboard.calls=N.
for seed in $(argument seeds | tr , ' '); do
	abi_calls run "$seed" "$(argument calls)" >/tmp/transcript 2>/tmp/errors || status=1
	tail -n 6 /tmp/errors
	echo "abi: begin $seed"
	gzip -9c /tmp/transcript | base64
	echo "abi: end $seed"
done
