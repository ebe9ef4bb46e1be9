#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Checks progress.sh with programs that hang in each way, and with one that is slow. Prints a line
# for each check and fails when one fails.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. mk/progress.sh

PATIENCE=2
bad=0
tmp=$(mktemp -d)
log=$tmp/log
: >"$log"
finish() {
	local pid
	for pid in $(jobs -pr); do kill -KILL "$pid" 2>/dev/null || :; done
	rm -rf "$tmp"
}
trap finish EXIT

# check NAME STATUS CMD...: CMD waits for the last program, and returns STATUS.
check() {
	local status=0
	"${@:3}" >"$tmp/said" || status=$?
	if [ "$status" = "$2" ]; then say "progress: $1: ok"; else
		say "progress: $1: FAILED: status $status: $(cat "$tmp/said")"
		bad=1
	fi
	kill -KILL "$!" 2>/dev/null || :
	wait "$!" 2>/dev/null || :
}

sleep 1000 &
check "an idle program hangs" 124 until_ended "$!" "$log"
sh -c 'while :; do :; done' &
check "a program that only uses the processor hangs" 124 until_ended "$!" "$log"
# It takes longer than the limit, and says something more often.
sh -c 'for n in 1 2 3 4 5 6; do echo "$n" >>"$0"; sleep 1; done; exit 7' "$log" &
check "a slow program ends" 7 until_ended "$!" "$log"
sh -c 'sleep 1; : >"$0"; exec sleep 1000' "$tmp/made" &
check "a condition is waited for" 0 until_true "$!" "$log" test -e "$tmp/made"
sh -c 'exit 0' &
check "a program that has ended is not waited for" 1 until_true "$!" "$log" false
exit "$bad"
