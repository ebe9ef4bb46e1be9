#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Unit tests of every crate, then the kyua suite on the virtual boards. The last line is the sum: `N
# passed, N failed[, N skipped]`. Before it come how the suite went on each board, and what failed,
# each with the file that has all it said. The clients run a second time with Debian 13's Mesa.
# BOARD=NAME runs the suite on that board only; the full logs are
# target/test/{cargo,kyua,trixie}.log.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

log=$TARGET/test
mkdir -p "$log"
passed=0
failed=0
skipped=0

# fail WHAT LOG: something that should have run tests could not; it counts as one failure.
fail() {
	say "test: $1; the end of $2:"
	tail -n 40 "$2"
	failed=$((failed + 1))
}

unit_tests() {
	local status=0 p f i
	say "test: unit tests (cargo test)"
	# First built, with cargo's own progress, which takes some minutes; the run reports what
	# does not build.
	cargo test --workspace --no-run 2>&1 |
		grep --line-buffered -E '^ +(Compiling|Finished|Blocking)|^error' || :
	# Progress is one line for each program that has tests; all of them run even when one fails.
	# The fuzzers take their time from this.
	FUZZ_SECONDS=${FUZZ_SECONDS:-60} cargo test --workspace --no-fail-fast 2>&1 |
		tee "$log/cargo.log" | awk '
		/^ +(Running|Doc-tests) / {
			name = $0; sub(/ \(.*/, "", name)
			n = split($0, part, "/"); sub(/-[0-9a-f]+\)$/, "", part[n])
			if (/Running/) name = name " of " part[n] }
		/^test result: / && !/ 0 passed; 0 failed/ {
			sub(/^test result: /, ""); print name ": " $0; fflush() }
		/^test .* FAILED$|panicked at|^error(\[|: [^1-9t])/ { print; fflush() }
	' || status=${PIPESTATUS[0]}
	read -r p f i < <(awk '
		/^test result: / { for (n = 1; n < NF; n++) {
			if ($(n + 1) ~ /^passed/) p += $n
			if ($(n + 1) ~ /^failed/) f += $n
			if ($(n + 1) ~ /^ignored/) i += $n } }
		END { print p + 0, f + 0, i + 0 }' "$log/cargo.log")
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + i))
	if [ "$status" != 0 ] && [ "$f" = 0 ]; then fail "cargo test failed" "$log/cargo.log"; fi
	if [ "$f" != 0 ]; then
		sed -n '/^failures:$/,/^test result/p' "$log/cargo.log" | head -n 100
	fi
}

# kyua finds a program at BUILD-ROOT/DIRECTORY-OF-KYUAFILE/NAME; cargo puts it elsewhere, so the
# build root is made of links.
link_programs() {
	local name
	rm -rf "$TARGET/kyua"
	mkdir -p "$TARGET/kyua/tests"
	for name in $(sed -n 's/^atf_test_program{name="\([^"]*\)".*/\1/p' tests/Kyuafile); do
		ln -s "$TARGET/debug/$name" "$TARGET/kyua/tests/$name"
	done
}

# by_board: how the cases in kyua's log ended on each board. kyua's list of a program gives the
# board of a case as its X-board.
by_board() {
	local name
	for name in "$TARGET"/kyua/tests/*; do
		"$name" -l | awk -v program="tests/${name##*/}" '
			/^ident: / { ident = $2; board[ident] = "no board" }
			/^X-board: / { board[ident] = $2 }
			END { for (ident in board) print program ":" ident "\t" board[ident] }'
	done | awk -F'\t' '
		NR == FNR { board[$1] = $2; next }
		split($0, part, "  ->  ") == 2 && part[1] in board {
			b = board[part[1]]
			seen[b] = 1
			if (part[2] ~ /^(passed|expected)/) p[b]++
			else if (part[2] ~ /^(failed|broken)/) f[b]++
			else if (part[2] ~ /^skipped/) s[b]++
		}
		END { for (b in seen) {
			skipped = s[b] ? sprintf(", %d skipped", s[b]) : ""
			printf "suite on %s: %d passed, %d failed%s\n", b, p[b], f[b], skipped } }
	' - "$log/kyua.log" | sort
}

# run_suite NAME CASE...: runs them, counts them, and keeps what those that fail said and traced in
# $log/failed.
run_suite() {
	local status=0 p f s name=$1
	shift
	local db=$log/$name.db
	local args=(-c none -v "test_suites.drmkpi.drmboard=$TARGET/release/drmboard"
		-v "test_suites.drmkpi.clients=$ARM64"
		-v "test_suites.drmkpi.session=$TOP/mk/session.sh"
		-v "test_suites.drmkpi.libdrm=$TARGET/libdrm"
		-v "test_suites.drmkpi.keep=$log/failed/$name")
	if [ -n "${BOARD:-}" ]; then args+=(-v "test_suites.drmkpi.board=$BOARD"); fi
	rm -f "$db"
	mkdir -p "$log/failed/$name"
	kyua "${args[@]}" test --build-root="$TARGET/kyua" -r "$db" "$@" 2>&1 |
		tee "$log/$name.log" || status=${PIPESTATUS[0]}
	read -r p f s < <(awk -F'  ->  ' '
		NF == 2 {
			if ($2 ~ /^(passed|expected)/) p++
			else if ($2 ~ /^(failed|broken)/) f++
			else if ($2 ~ /^skipped/) s++
		}
		END { print p + 0, f + 0, s + 0 }' "$log/$name.log")
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	if [ "$((p + f + s))" = 0 ] || { [ "$status" != 0 ] && [ "$f" = 0 ]; }; then
		fail "kyua failed" "$log/$name.log"
	fi
	if [ "$f" = 0 ]; then return; fi
	# One file for each failed case, named as its trace is.
	kyua -c none report -r "$db" --verbose --results-filter=broken,failed 2>/dev/null |
		awk -v dir="$log/failed/$name" '
		/^===> tests\/[^ ]*:[^ ]*$/ {
			file = $2; sub(/.*\//, "", file); file = dir "/" file ".log" }
		file != "" { print >file }' || :
	awk -F'  ->  ' -v dir="$log/failed/$name" 'NF == 2 && $2 ~ /^(failed|broken)/ {
		file = $1; sub(/.*\//, "", file)
		print "failed: " $1 ": " dir "/" file ".log"
	}' "$log/$name.log" >>"$log/failed/list"
}

suite() {
	say "test: the kyua suite"
	if ! cargo build -q -p atf --bins >"$log/kyua.log" 2>&1; then
		fail "the test programs do not build" "$log/kyua.log"
		return
	fi
	link_programs
	run_suite kyua
	by_board || say "test: no count by board"
	say "test: the clients of Debian 13"
	DRMBOARD_SYSROOT=$(suite_root trixie) run_suite trixie tests/clients_test
}

# checks SCRIPT: one that prints a line for each of its checks, which ends in `ok`, `FAILED: WHY` or
# `skipped: WHY`.
checks() {
	local status=0 p f s name=${1##*/}
	name=${name%.sh}
	"$@" 2>&1 | tee "$log/$name.log" | grep -vE ': ok$' || status=${PIPESTATUS[0]}
	p=$(grep -c ': ok$' "$log/$name.log") || :
	f=$(grep -c ': FAILED: ' "$log/$name.log") || :
	s=$(grep -c ': skipped: ' "$log/$name.log") || :
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	say "test: $name: $p passed, $f failed"
	if [ "$f" = 0 ] && { [ "$status" != 0 ] || [ "$((p + s))" = 0 ]; }; then
		fail "$1 failed" "$log/$name.log"
	fi
}

may_mount
mk/need.sh build arm64 qemu test
if ! mk/build.sh 2>&1 | tee "$log/build.log"; then fail "the build failed" "$log/build.log"; fi
if ! mk/sysroot.sh trixie 2>&1 | tee "$log/sysroot.log"; then
	fail "no sysroot of Debian 13" "$log/sysroot.log"
fi
mk/libdrm.sh
rm -rf "$log/failed"
mkdir -p "$log/failed"
: >"$log/failed/list"
unit_tests
checks mk/overlays.sh
checks mk/ports.sh
checks mk/front.sh
suite

if [ "$failed" = 0 ] && [ "$passed" -gt 0 ]; then
	made "logs in target/test" \
		"make lint audit; make crosscheck, which lets Linux's own drivers judge the models"
fi
# What failed, last: each with where all that it said is.
sed -n 's|^test \(.*\) \.\.\. FAILED$|failed: \1: '"$log"'/cargo.log|p' "$log/cargo.log" \
	>>"$log/failed/list"
for name in overlays ports front; do
	sed -n 's|: FAILED: .*||p' "$log/$name.log" 2>/dev/null |
		sed "s|^|failed: |; s|\$|: $log/$name.log|" >>"$log/failed/list"
done
cat "$log/failed/list"
line="$passed passed, $failed failed"
if [ "$skipped" -gt 0 ]; then line="$line, $skipped skipped"; fi
say "$line"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
