#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The first steps of a new user: make's list, README's first commands, the messages when a right is
# missing or another apt-get runs, the order of the steps on a board. Prints a line for each check
# and fails when one fails. Run make build before it.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

bad=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# check NAME CMD...: CMD prints what is wrong, or fails.
check() {
	local said
	if said=$("${@:2}" 2>&1) && [ -z "$said" ]; then say "front: $1: ok"; else
		say "front: $1: FAILED: $(printf '%s' "$said" | tail -n 5 | tr '\n' ' ')"
		bad=1
	fi
}

# Every target is in what `make` and `make help` print.
listed() {
	local target list
	list=$(make --no-print-directory)
	[ "$list" = "$(make --no-print-directory help)" ] || say "make and make help differ"
	for target in $(sed -n 's/^\.PHONY: //p' Makefile); do
		case $target in all) continue ;; esac
		grep -qE "^  make $target +[^ ]" <<<"$list" || say "make $target is not listed"
	done
}

# The command that README gives after make demo, a row of make demo's table, without any variable
# that a user would not have.
next_command() {
	local command row status=0
	command=$(sed -n 's/^    \(target\/release\/drmboard run .*--stats -- .*\)$/\1/p' \
		README.md | head -n 1)
	[ -n "$command" ] || say "README has no such command"
	env -u PAN_MESA_DEBUG -u DRMBOARD_ARCH -u DRMBOARD_SYSROOT bash -c \
		"${command/#target/$TARGET}" >"$tmp/next" 2>&1 || status=$?
	row=$(xtask demo - rk3399 gles_clear "$status" "$tmp/next") || say "$command: $row"
}

# Without the right to mount nothing is downloaded, and that right is what is named.
no_rights() {
	local script
	for script in demo test fresh; do
		if DRMKPI_TARGET=$tmp/target setpriv --bounding-set=-all --inh-caps=-all \
			--no-new-privs "mk/$script.sh" >"$tmp/rights" 2>&1; then
			say "mk/$script.sh passes without rights"
		fi
		grep -q 'no right to mount' "$tmp/rights" ||
			say "mk/$script.sh: $(tail -n 1 "$tmp/rights")"
		[ ! -e "$tmp/target/sysroot.apt" ] || say "mk/$script.sh begins to download"
	done
}

# Another apt-get holds dpkg's lock, in a dpkg directory that is only ours, and then the lock of the
# package lists.
locked_apt() {
	local dir=$tmp/dpkg lists=$tmp/state/lists holder start
	mkdir -p "$dir/updates" "$dir/info" "$lists/partial"
	cp /var/lib/dpkg/status "$dir/status"
	printf 'Dir::State "%s";\nDir::State::status "%s";\n' "$tmp/state" "$dir/status" \
		>"$tmp/apt.conf"
	# HOLD FILE SECONDS: locks as apt does, prints a line, and unlocks.
	cat >"$tmp/hold" <<-'PERL'
		use Fcntl; my $lock = pack "s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0; $| = 1;
		open F, ">>", $ARGV[0] or die; fcntl F, F_SETLK, $lock or die "no lock";
		print "held\n"; sleep $ARGV[1];
	PERL
	local lock command
	for lock in "$dir/lock-frontend install" "$lists/lock update"; do
		command=${lock#* }
		perl "$tmp/hold" "${lock% *}" 3 >"$tmp/held" &
		holder=$!
		until grep -qs held "$tmp/held"; do
			kill -0 "$holder" 2>/dev/null || {
				say "the lock of $command cannot be held"
				return
			}
			sleep 0.1
		done
		start=$SECONDS
		# Nothing to install, and no source to fetch lists from.
		APT_CONFIG=$tmp/apt.conf apt "$tmp/apt.log" -o Dir::Etc::sourcelist=/dev/null -o \
			Dir::Etc::sourceparts=/dev/null "$command" >"$tmp/waited" ||
			say "apt-get $command: $(tail -n 2 "$tmp/apt.log")"
		if [ $((SECONDS - start)) -lt 2 ]; then say "apt-get $command did not wait"; fi
		wait "$holder" || :
	done
}

# The module is on no path where a boot finds it until it was loaded by hand, and what needs a boot
# comes before it is there at all.
board_steps() {
	# at PATTERN: the first line of docs/board.md with it.
	at() { grep -nE -m 1 -- "$1" docs/board.md | cut -d : -f 1 | grep . || printf '0\n'; }
	local last=0 step line
	for step in '^## 1\. The device tree' ' reboot:$' '^    make kmod ' \
		'^    kldload /var/tmp/drmkpi\.ko' 'eglinfo -B' '/boot/modules' 'kld_list'; do
		line=$(at "$step")
		if [ "$line" -le "$last" ]; then
			say "'$step' is in line $line, after line $last it should be"
		fi
		last=$line
	done
}

check "make lists its targets" listed
check "README's next command draws" next_command
check "a missing right is reported first" no_rights
check "another apt-get is waited for" locked_apt
check "board.md's steps" board_steps
exit "$bad"
