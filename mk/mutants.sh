#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# mutants.sh [-h|-g] [NAME...]: plants each fault of tests/guest/mutants (or the named ones) in the
# GPU models, one at a time, and prints, as a table, which of the project's checks notice. -h: only
# those on the host, -g: only the machines of the crosscheck. Fails when nothing notices a fault,
# when a patch does not apply or build, and when a check fails without a fault. What is patched is a
# copy, target/mutants/tree; logs and traces are in target/mutants/log/NAME. DRMKPI_MUTANTS names
# another place for both, for two at the same time.
#
# A patch begins with `What:`, which says what is wrong with the model then, and `Crosscheck: BOARD
# RUN...`, the runs that may see it, `clients` and `faults`. They are made in that order up to the
# first that does. Traces are not compared: both drivers would be on the same wrong model.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

on_host=yes
in_guest=yes
case ${1:-} in
-h) in_guest='' && shift ;;
-g) on_host='' && shift ;;
esac
mutants=("$@")
mk/need.sh build test mutants
# The crosscheck's preparations and functions. A machine with a broken GPU need not be waited for as
# long.
set --
. mk/crosscheck.sh
limit=75

root=${DRMKPI_MUTANTS:-$TARGET/mutants}
tree=$root/tree
build=$root/build
initrd=$root/initrd

# in_tree CMD...: with the copy as the workspace.
in_tree() (
	cd -- "$tree"
	export CARGO_TARGET_DIR=$build CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=1
	"$@"
)

# copy: the tree as it is now. The models must look new: a fault may have been built into them last.
copy() {
	local name
	rm -rf "$tree"
	mkdir -p "$tree" "$build/kyua/tests"
	cp "$out/initrd" "$initrd"
	git ls-files -z -co --exclude-standard | tar --null -T - -c | tar -x -C "$tree"
	find "$tree/tests/lib/models/src" -type f -exec touch {} +
	# Tests, board and library for QEMU come out of one build; what has nothing of the models in
	# it is that of target/.
	ln -sfn debug "$build/release"
	for name in sysroot qemu arm64 shim; do ln -sfn "$TARGET/$name" "$build/$name"; done
	for name in $(suite_programs); do
		ln -sfn "$build/debug/$name" "$build/kyua/tests/$name"
	done
}

# tests_of PACKAGE FAMILY: cargo's options for those of its tests that concern this family of
# models.
tests_of() {
	local dir=tests/inproc/driver/tests file name
	if [ "$1" = models ]; then dir=tests/lib/models/tests; fi
	for file in "$dir"/*.rs "$dir"/*/main.rs; do
		[ -e "$file" ] || continue
		name=$(basename "${file%/main.rs}" .rs)
		case $name in
		# The same tests again, with another memory layout.
		*_scattered) continue ;;
		vivante_* | etnaviv*) [ "$2" = vivante ] || continue ;;
		*) [ "$2" = mali ] || continue ;;
		esac
		printf -- '--test %s ' "$name"
	done
}

# unit PACKAGE FAMILY LOG: the package's own tests.
unit() {
	local status=0 names
	read -r -a names < <(tests_of "$1" "$2") || :
	in_tree timeout 180 cargo test --no-fail-fast -p "$1" "${names[@]}" >"$3" 2>&1 || status=$?
	xtask mutants rate "$status" "$3"
}

# suite_of FAMILY LOG: those programs of the kyua suite that take seconds.
suite_of() {
	local status=0 programs
	case $1 in
	mali) programs=(tests/panfrost_submit_test tests/panfrost_fault_test) ;;
	*) programs=(tests/etnaviv_submit_test tests/etnaviv_address_test \
		tests/etnaviv_perfmon_test) ;;
	esac
	rm -f "$2.db"
	in_tree timeout 90 kyua -c none -v "test_suites.drmkpi.drmboard=$build/release/drmboard" \
		-v "test_suites.drmkpi.clients=$ARM64" \
		test --build-root="$build/kyua" -r "$2.db" "${programs[@]}" >"$2" 2>&1 || status=$?
	xtask mutants rate "$status" "$2"
}

# machines FAMILY DIR BOARD RUN...: the first of the crosscheck's runs that notices.
machines() (
	local family=$1 board=$3 run
	out=$2
	TARGET=$build
	shift 3
	ln -sfn "$initrd" "$out/initrd"
	for run in "$@"; do
		bad=0
		case $run in
		faults) "${family}_faults" "$board" ;;
		*) "$run" "$board" ;;
		esac >>"$out/crosscheck" 2>&1
		if [ "$bad" != 0 ]; then
			say "$run"
			return
		fi
	done
	say -
)

# one NAME FAMILY WHAT BOARD RUN...: a row of the table, for the copy as it is.
one() {
	local name=$1 family=$2 what=$3 log=$root/log/$1 models=. driver=. suite=. guest=. options
	shift 3
	rm -rf "$log"
	mkdir -p "$log"
	read -r -a options < <(tests_of models "$family" && tests_of driver_tests "$family") || :
	if [ -n "$on_host" ] &&
		! in_tree cargo test -q --no-run -p models -p driver_tests "${options[@]}" \
		>"$log/build" 2>&1 ||
		! in_tree cargo build -q -p drmboard -p qemu_board >>"$log/build" 2>&1; then
		tail -n 20 "$log/build" >&2
		die "$name does not build"
	fi
	if [ -n "$on_host" ]; then
		models=$(unit models "$family" "$log/models")
		driver=$(unit driver_tests "$family" "$log/driver")
		suite=$(suite_of "$family" "$log/suite")
	fi
	if [ -n "$in_guest" ]; then guest=$(machines "$family" "$log" "$@"); fi
	# A value may begin with a dash.
	xtask mutants row -- "$name" "$what" "$models" "$driver" "$suite" "$guest" |
		tee -a "$table" || die "$name: see $log"
}

# family NAME: of models, by the name of a patch.
family() { case $1 in mali-*) say mali ;; *) say vivante ;; esac }

copy
if [ "${#mutants[@]}" = 0 ]; then
	mutants=(tests/guest/mutants/*.patch)
	mutants=("${mutants[@]##*/}")
fi
table=$root/table
: >"$table"
say "mutants: a number counts failed tests, \`no end\` and \`died\` are of their programs;"
say "mutants: - is not detected, . is not tried"
in_tree cargo build -q -p atf --bins
printf '\n| fault | | models | driver | suite | crosscheck |\n|---|---|---|---|---|---|\n'
for group in mali vivante; do
	case " ${mutants[*]}" in *" $group-"*) ;; *) continue ;; esac
	one "no-fault-$group" "$group" 'none' \
		"$(if [ "$group" = mali ]; then say rk3399; else say imx8mq; fi)" clients faults
	for name in "${mutants[@]%.patch}"; do
		if [ "$(family "$name")" != "$group" ]; then continue; fi
		file=tests/guest/mutants/$name.patch
		read -r -a runs < <(sed -n 's/^Crosscheck: //p' "$file")
		patch -s -p1 -d "$tree" <"$file" || die "$name does not apply"
		one "$name" "$group" "$(sed -n 's/^What: //p' "$file")" "${runs[@]}"
		patch -s -R -p1 -d "$tree" <"$file"
	done
done
xtask mutants end "$table"
