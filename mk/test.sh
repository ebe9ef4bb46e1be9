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

# results COMMAND...: mk/xtask keeps what the runs came to, and says what failed and the sum. As a
# program and not by cargo, which would wait for the cargo that runs tests.
results() { "$TARGET/debug/xtask" results "$log" "$@"; }

# step NAME CMD...: one that runs no tests, but without which some cannot run; fails if CMD does.
step() {
	local status=0
	"${@:2}" 2>&1 | tee "$log/$1.log" || status=${PIPESTATUS[0]}
	results step "$1" "$status"
	return "$status"
}

unit_tests() {
	local status=0
	say "test: unit tests (cargo test)"
	# First built, with cargo's own progress, which takes some minutes; the run reports what
	# does not build.
	cargo test --workspace --no-run 2>&1 |
		grep --line-buffered -E '^ +(Compiling|Finished|Blocking)|^error' || :
	# Progress is one line for each program that has tests; all of them run even when one fails.
	# The fuzzers take their time from this.
	FUZZ_SECONDS=${FUZZ_SECONDS:-60} cargo test --workspace --no-fail-fast 2>&1 |
		tee "$log/cargo.log" | results progress || status=${PIPESTATUS[0]}
	results cargo "$status"
}

# kyua finds a program at BUILD-ROOT/DIRECTORY-OF-KYUAFILE/NAME; cargo puts it elsewhere, so the
# build root is made of links.
link_programs() {
	local name
	rm -rf "$TARGET/kyua"
	mkdir -p "$TARGET/kyua/tests"
	for name in $(suite_programs); do
		ln -s "$TARGET/debug/$name" "$TARGET/kyua/tests/$name"
	done
}

# list_cases: what the programs say of their cases, by which these are counted for each board.
list_cases() {
	local name
	for name in "$TARGET"/kyua/tests/*; do
		say "program: tests/${name##*/}"
		"$name" -l
	done
}

# run_suite NAME CASE...: runs them, and keeps what those that fail said and traced in $log/failed.
run_suite() {
	local status=0 name=$1
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
	# One file for each failed case, named as its trace is.
	kyua -c none report -r "$db" --verbose --results-filter=broken,failed 2>/dev/null |
		"$TARGET/debug/xtask" results "$log/failed/$name" split || :
	results kyua "$name" "$status"
}

suite() {
	say "test: the kyua suite"
	step programs cargo build -q -p atf --bins || return 0
	link_programs
	list_cases >"$log/kyua.cases" || say "test: no count by board"
	run_suite kyua
	say "test: the clients of Debian 13"
	DRMBOARD_SYSROOT=$(suite_root trixie) run_suite trixie tests/clients_test
}

# checks SCRIPT: one that prints a line for each of its checks, which ends in `ok`, `FAILED: WHY` or
# `skipped: WHY`.
checks() {
	local status=0 name=${1##*/}
	name=${name%.sh}
	"$@" 2>&1 | tee "$log/$name.log" | grep -vE ': ok$' || status=${PIPESTATUS[0]}
	results checks "$name" "$status"
}

may_mount
mk/need.sh build arm64 qemu test
cargo build -q -p xtask || {
	say "0 passed, 1 failed"
	exit 1
}
results begin
step build mk/build.sh || :
step sysroot mk/sysroot.sh trixie || :
mk/libdrm.sh
unit_tests
checks mk/overlays.sh
checks mk/ports.sh
checks mk/front.sh
checks mk/progress_test.sh
suite

# What failed, each with where all that it said is, and the sum.
status=0
sum=$(results sum) || status=$?
if [ "$status" = 0 ]; then
	made "logs in target/test" \
		"make lint audit; make crosscheck, which lets Linux's own drivers judge the models"
fi
say "$sum"
exit "$status"
