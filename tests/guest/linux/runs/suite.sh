# SPDX-License-Identifier: BSD-2-Clause
# Sourced by init: runs the kyua cases of this board that need neither an injected fault nor a check
# of drmkpi's counters. Prints a line for each: `case PROGRAM:CASE RESULT`.
DRMBOARD_BOARD=$(argument board)
export DRMBOARD_BOARD
mkdir -p /tmp/case
cd /tmp/case || status=1
for program in /suite/*; do
	"$program" -l | awk -v board="$DRMBOARD_BOARD" '
		/^ident: / { flush(); name = $2; ok = 0; skip = 0 }
		/^X-board: / { ok = $2 == board }
		/^X-drmboard: / || /^require.config: / { skip = 1 }
		function flush() { if (name != "" && ok && !skip) print name }
		END { flush() }' >/tmp/cases
	while read -r case; do
		# Linux writes past the end of a kernel buffer and crashes: docs/crosscheck.md.
		case ${program##*/}:$case in etnaviv_perfmon_test:bounds_*) continue ;; esac
		rm -rf /tmp/case/*
		timeout 20 "$program" -r /tmp/result "$case" >/tmp/out 2>&1 </dev/null ||
			echo "ended with $?" >>/tmp/out
		result=$(cat /tmp/result 2>/dev/null || echo "broken: $(tail -n 1 /tmp/out)")
		rm -f /tmp/result
		echo "case ${program##*/}:$case $result"
	done </tmp/cases
done
