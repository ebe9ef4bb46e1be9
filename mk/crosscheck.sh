#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Debian's stock arm64 Linux, with its own panfrost.ko and etnaviv.ko and unmodified Mesa, on the
# GPU models in QEMU. Fails on a wrong renderer or pixel, on a line of the kernel's log that a boot
# must not have or has to have, and on what a model finds undefined. BOARDS="rk3399 ..." runs those
# only; LINUX=trixie takes the kernel of another release of Debian. Everything comes out in
# target/crosscheck/BOARD-RUN.{log,trace}; docs/crosscheck.md explains it. A driver that runs on
# silicon is the judge here: nothing of our own kernel code takes part.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. mk/guest.sh

BOARDS=${BOARDS:-rk3399 imx8mq imx6q}
# Seconds for one machine.
limit=240
out=$TARGET/crosscheck
bad=0

# initramfs: what the guest runs from, as an archive that the kernel takes without unpacking
# anything.
initramfs() {
	local root=$out/root
	rm -rf "$root"
	mkdir -p "$root"/{modules,crosscheck}
	install -m 755 tests/guest/linux/init "$root/init"
	cp tests/guest/linux/runs/*.sh "$root/crosscheck/"
	mali_modules=$(kernel_modules "$root/modules" fixed panfrost)
	vivante_modules=$(kernel_modules "$root/modules" fixed etnaviv)
	linux_programs "$root"
	(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc --quiet) >"$out/initrd"
	rm -rf "$root"
}

# boot BOARD RUN SCRIPT APPEND [OPTION...]: one machine from power on to power off. mk/xtask judges
# its console and prints a row; `ok` is `failed` then if anything is wrong.
boot() {
	local board=$1 run=$2 script=$3 append=$4 status=0 began=$SECONDS \
		log=$out/$1-$2.log modules=$vivante_modules
	shift 4
	case $board in rk3399 | mali-*) modules=$mali_modules ;; esac
	ok=ok
	"$TARGET/release/drmboard" vm --board "$board" --kernel "$image" --initrd "$out/initrd" \
		--stats --trace "$out/$board-$run.trace" \
		--append "drmboard.modules=$modules drmboard.run=$script $append" --timeout \
		"$limit" "$@" >"$log" 2>&1 || status=$?
	tr -d '\r' <"$log" >"$log.text" && mv "$log.text" "$log"
	xtask console linux "$board" "$run" "$log" --status "$status" \
		--seconds $((SECONDS - began)) || {
		ok=failed
		bad=1
	}
}

# clients BOARD [RUN [OPTION...]]: nothing goes wrong.
clients() { boot "$1" "${2:-clients}" clients.sh "" "${@:3}"; }

# fault BOARD RUN SPEC FIRST: a fault planted when six jobs have been started, that is for the frame
# which clears to white, or the one before. FIRST is how the client ends that meets it: `any` where
# that is not always the same job, or where the GPU's own accesses count.
fault() { boot "$1" "$2" fault.sh "drmboard.first=$4" --inject "$3"; }

mali_faults() {
	fault "$1" hang hang:after=6 1
	fault "$1" jobfault jobfault:after=6 any
	fault "$1" buserror buserror:access=10,after=6 any
	fault "$1" mmufault fault:access=10,after=6 any
	fault "$1" loseirq lose-irq:after=6 0
}

vivante_faults() {
	fault "$1" hang hang:after=6 1
	fault "$1" loseirq lose-irq:after=6 0
	fault "$1" buserror buserror:access=10,after=6 any
	# MMUv1 has no faults.
	if [ "$1" = imx6q ]; then return; fi
	fault "$1" mmufault fault:access=10,after=6 any
}

# traces BOARD RUN=SPEC...: our driver on the same model with the same client and faults; then both
# drivers' traces, phase by phase.
traces() {
	local board=$1 pair run spec stock=() ours=() status=0
	shift
	for pair in "$@"; do
		run=${pair%%=*}
		spec=${pair#*=}
		# How the client ends has been judged; a fault may fail it.
		PAN_MESA_DEBUG=linear "$TARGET/release/drmboard" run --board "$board" --trace \
			"$out/$board-$run.ours.trace" ${spec:+--inject "$spec"} \
			-- "$ARM64/gles_clear" >"$out/$board-$run.ours.log" 2>&1 || :
		stock+=("$out/$board-$run.trace")
		ours+=("$out/$board-$run.ours.trace")
	done
	"$TARGET/release/tracecmp" "$board" tests/guest/linux/accepted.txt "${stock[@]}" -- \
		"${ours[@]}" >"$out/$board-traces" 2>&1 || status=$?
	# Its last line is the row of the table.
	say "$board   $(tail -n 1 "$out/$board-traces")"
	if [ "$status" != 0 ]; then
		sed 's/^/    /' "$out/$board-traces"
		bad=1
	fi
}

# instructions BOARD N: jobs whose instructions are counted, into BOARD-count-N.counts: mk/bench.sh
# shows them.
instructions() {
	local counts=$out/$1-count-$2.counts
	rm -f "$counts"
	boot "$1" "count-$2" count.sh "nokaslr drmboard.board=$1" --count "$counts"
}

# suite BOARD: the kyua cases of the board on the stock driver; those that it fails are in
# tests/guest/linux/suite.txt. They provoke the kernel's complaints and the model's, which are not
# checked. Cases that want to see work that is not over need it to be long for a guest that is slow
# on a host that is busy. etnaviv's is made 0.5 s: its watchdog checks for progress, and a fill is
# 20 ms. Panfrost gives a job 0.5 s and no more, so that its cases' work stays as long as they made
# it.
suite() {
	local limit=480 scale=1
	case $1 in imx*) scale=20 ;; esac
	boot "$1" suite suite.sh "drmboard.board=$1" --work-scale "$scale"
}

check() {
	clients "$1"
	if [ "$ok" != ok ]; then
		say "$1   the other runs are left out: this one has to be right first"
		return
	fi
	# The domain is on when the kernel comes, so that there is something to be saved when it
	# goes off.
	case $1 in imx6*) ;; *) clients "$1" firmware --power on ;; esac
	case $1 in
	rk3399)
		mali_faults "$1"
		suite "$1"
		traces "$1" clients= hang=hang:after=6 jobfault=jobfault:after=6 \
			loseirq=lose-irq:after=6 mmufault=fault:access=10,after=6
		;;
	imx8mq)
		vivante_faults "$1"
		suite "$1"
		traces "$1" clients= hang=hang:after=6 loseirq=lose-irq:after=6 \
			mmufault=fault:access=10,after=6
		;;
	imx6q)
		vivante_faults "$1"
		suite "$1"
		traces "$1" clients= hang=hang:after=6 loseirq=lose-irq:after=6
		;;
	esac
}

mk/build.sh
need qemu-system-arm qemu-system-aarch64 "the machine"
need device-tree-compiler dtc "makes its device tree"
need cpio cpio "makes its initramfs"
need binutils readelf "finds the libraries of a program"
if [ -n "$LINUX" ]; then need xz-utils xz "unpacks the modules of newer kernels"; fi
if [ "${#wanted[@]}" -gt 0 ]; then install_packages "${wanted[@]}"; fi
mkdir -p "$out"
# For make bench: `packages` only sees to it that all packages are here, `count` has the
# instructions of jobs counted.
if [ "${1:-}" = packages ]; then
	stock_linux
	exit 0
fi
say "build: the library for QEMU"
cargo build --release -p qemu_board
say "build: the suite for arm64"
# The guest has no room for debugging information.
CARGO_PROFILE_RELEASE_STRIP=debuginfo mk/arm64.sh build --release -p atf --bins
stock_linux
initramfs
image=$(echo "$linux"/boot/vmlinuz-*)
# mk/mutants.sh takes what is above, and runs the machines itself.
if [ "${BASH_SOURCE[0]}" != "$0" ]; then return 0; fi
say "crosscheck: ${image##*/vmlinuz-}, $(qemu-system-aarch64 --version | head -n 1)"
xtask console linux-header
if [ "${1:-}" = count ]; then
	for board in $BOARDS; do
		for n in 1 2 3; do instructions "$board" "$n"; done
	done
	exit "$bad"
fi
for board in $BOARDS; do check "$board"; done
exit "$bad"
