# SPDX-License-Identifier: BSD-2-Clause
# Sourced by scripts that wait for programs on a board: until_true, until_ended. How long a program
# takes depends on what else the machine does, so that no limit in seconds distinguishes a slow
# program from one that hangs. The limits are of progress instead, which is that a log grows: a
# program hangs if its log does not grow while much processor time is used, or hardly any.

# Seconds without progress, of processor time and of idleness.
PATIENCE=${PATIENCE:-60}

# spent: the processor time, in hundredths of a second, that the programs below this shell and the
# drmboard above it have used.
spent() {
	{ cat /proc/[0-9]*/stat 2>/dev/null || :; } | awk -v shell="$$" '
		{
			pid = $1
			is_board[pid] = $2 == "(drmboard)"
			# A name may have blanks.
			sub(/^.*\) /, "")
			parent[pid] = $2
			own[pid] = $12 + $13
			ended[pid] = $14 + $15
		}
		END {
			for (pid in own) {
				at = pid
				while (at != shell && at in parent) at = parent[at]
				if (at == shell && pid != shell) sum += own[pid] + ended[pid]
			}
			for (at = shell; at in parent; at = parent[at])
				if (is_board[at]) sum += own[at]
			printf "%d", sum
		}'
}

# hangs USED PAST: whether a program hangs that used so many hundredths of a second of processor
# time in so many seconds, and whose log did not grow.
hangs() { (($1 > PATIENCE * 100 || ($2 > PATIENCE && $1 < $2 * 5))); }

# until_true PID LOG CMD...: waits for CMD to succeed. Fails, and says why, when the program PID
# ends before that, or hangs: LOG has not grown while PATIENCE seconds of processor time were used,
# or for PATIENCE seconds of which the processors worked less than a twentieth.
until_true() {
	local pid=$1 log=$2 checked='' size='' grown now from since
	shift 2
	while :; do
		if "$@"; then return 0; fi
		if ! kill -0 "$pid" 2>/dev/null; then
			say "a program has ended: $*"
			return 1
		fi
		if [ "$SECONDS" != "$checked" ]; then
			checked=$SECONDS
			now=$(spent)
			grown=$(stat -c %s "$log" 2>/dev/null) || grown=0
			if [ "$grown" != "$size" ]; then
				size=$grown from=$now since=$SECONDS
			elif hangs $((now - from)) $((SECONDS - since)); then
				say "no progress in $((SECONDS - since)) s," \
					"$(((now - from) / 100)) s of processor time: $*"
				return 1
			fi
		fi
		sleep 0.05
	done
}

# until_ended PID LOG: waits for a program of this shell to end, and returns its status; 124 if it
# hangs.
until_ended() {
	until_true "$$" "$2" gone "$1" || return 124
	wait "$1"
}

# gone PID: whether it has ended; its status can still be waited for.
gone() { ! kill -0 "$1" 2>/dev/null; }
