#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# vmtest.sh: drmkpi.ko on a FreeBSD/arm64 kernel, on the GPU models in QEMU, with Debian's
# unmodified arm64 Mesa and the kyua suite as Linux programs and a native client. docs/vmtest.md
# explains it; everything comes out in target/vmtest/KERNEL-BOARD-CPUS-RUN.{log,trace}.
#
#   KERNEL="FILE ..."  kernel.bin (the image that booti takes), or a kernel beside one; default: all
#                      of /usr/obj/*/kernel.bin
#   MODULES=DIR        the kernel's own modules; default: beside the kernel, or in modules/ there
#   SYSDIR=DIR         the kernel's source, /usr/src/sys; KMOD=FILE uses that module, built before
#   BOARDS="rk3399 ..."  RUNS="clients cases reload faults killed lowmem crowd busy force vm
#                      inflight power kinds signals"  selects; besides, by hand: boots (COUNT=N
#                      machines, 5), force100, latency (SUBMITS=N in a measurement, 2000;
#                      medians of ROUNDS=N, 3), and million (SUBMITS=N, 1000000; one processor)
#   SIGNALS=N          how many, for the run `signals` (4000)
#   CPUS="N ..."       processors of the machine ("1 4")
#
# `vmtest.sh count` only counts the instructions of jobs, on the first kernel without invariants,
# for mk/bench.sh. `vmtest.sh unless-none [count]` prints `skipped` when there is no kernel.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. mk/guest.sh

BOARDS=${BOARDS:-rk3399 imx8mq}
runs="clients cases reload faults killed lowmem crowd busy force vm inflight power kinds signals"
RUNS=${RUNS:-$runs}
CPUS=${CPUS:-1 4}
COUNT=${COUNT:-5}
SIGNALS=${SIGNALS:-4000}
ROUNDS=${ROUNDS:-3}
SYSDIR=${SYSDIR:-/usr/src/sys}
out=$TARGET/vmtest
# Seconds for one machine, and seconds without a line on its console. On a busy host a run has taken
# eight minutes, and a step of a run, which prints its lines when it completes, four. A machine that
# hangs is found by its silence.
limit=1500
silence=480
bad=0

modules_needed="build the kernel's modules mqueue, linux_common, linux64, linprocfs and fdescfs"

# kernels: those to be tested, as kernel.bin.
kernels() {
	local file
	if [ -z "${KERNEL:-}" ]; then
		for file in /usr/obj/*/kernel.bin; do
			if [ -e "$file" ]; then say "$file"; fi
		done
		return
	fi
	for file in $KERNEL; do
		case $(head -c 4 "$file" | od -An -c | tr -d ' ') in
		177ELF)
			[ -e "$file.bin" ] ||
				die "$file is an ELF file without a $file.bin: the machine needs" \
					"the image that booti takes"
			say "$file.bin"
			;;
		*) say "$file" ;;
		esac
	done
}

# native: the programs for FreeBSD, without a libc.
native() {
	local flags=(--target=aarch64-unknown-freebsd15 -std=c23 -O1 -Wall -Wextra -Werror \
		-ffreestanding -fno-builtin -fno-stack-protector -mgeneral-regs-only)
	local dir=tests/guest/freebsd
	local common=("$dir/start.c" "$dir/text.c" "$dir/system.c")
	mkdir -p "$out/native"
	build() {
		clang-19 "${flags[@]}" -nostdlib -static -fuse-ld=lld -o "$out/native/$1" \
			"${common[@]}" "${@:2}"
	}
	build init "$dir/init.c"
	build vmctl "$dir/vmctl.c" "$dir/usage.c" "$dir/sysctl.c"
	build native_drm "$dir"/native_*.c "$dir/usage.c"
}

# sysfs ROOT BOARD NODE COMPATIBLE...: the files that Linux's libdrm reads, below ROOT/boards/BOARD.
sysfs() {
	local sys=$1/boards/$2 device=devices/platform/$3 node minor n=0 name
	local at=$sys/$device
	mkdir -p "$at/drm" "$sys/dev/char" "$sys/class/drm" "$sys/bus/platform"
	ln -s ../../../bus/platform "$at/subsystem"
	{
		printf 'OF_NAME=gpu\nOF_FULLNAME=/%s\n' "gpu@${3%.gpu}"
		for name in "${@:4}"; do
			printf 'OF_COMPATIBLE_%s=%s\n' "$n" "$name"
			n=$((n + 1))
		done
		printf 'OF_COMPATIBLE_N=%s\n' "$n"
	} >"$at/uevent"
	for minor in 0 128; do
		node=card0
		if [ "$minor" = 128 ]; then node=renderD128; fi
		mkdir "$at/drm/$node"
		printf '226:%s\n' "$minor" >"$at/drm/$node/dev"
		printf 'MAJOR=226\nMINOR=%s\nDEVNAME=dri/%s\nDEVTYPE=drm_minor\n' "$minor" "$node" \
			>"$at/drm/$node/uevent"
		ln -s "../../../$3" "$at/drm/$node/device"
		ln -s ../../../../../class/drm "$at/drm/$node/subsystem"
		ln -s "../../$device/drm/$node" "$sys/dev/char/226:$minor"
		ln -s "../../$device/drm/$node" "$sys/class/drm/$node"
	done
}

# image KERNEL MODULE ISO: the guest's root.
image() {
	local root=$out/root dir=${MODULES:-} name file
	rm -rf "$root"
	mkdir -p "$root"/{sbin,dev,proc,tmp,modules,vmtest}
	linux_programs "$root"
	install -m 755 "$out/native/init" "$root/sbin/init"
	install -m 755 "$out/native/vmctl" "$out/native/native_drm" "$root/bin/"
	ln -s tmp/sys "$root/sys"
	cp tests/guest/freebsd/runs/*.sh tests/guest/linux/runs/{lib,suite}.sh "$root/vmtest/"
	sysfs "$root" rk3399 c000000.gpu rockchip,rk3399-mali arm,mali-t860
	sysfs "$root" imx8mq c000000.gpu vivante,gc
	if [ -z "$dir" ]; then dir=${1%/*}; fi
	for name in mqueuefs linux_common linux64 pseudofs tmpfs linprocfs fdescfs; do
		file=$(find "$dir" -name "$name.ko" -print -quit)
		if [ -n "$file" ]; then
			cp "$file" "$root/modules/"
		else
			case $name in
			mqueuefs | lin* | fdescfs)
				die "no $name.ko below $dir: $modules_needed, and set MODULES=DIR"
				;;
			esac
		fi
	done
	cp "$2" "$root/modules/drmkpi.ko"
	genisoimage -quiet -R -o "$3" "$root" 2>"$out/iso.log" || {
		cat "$out/iso.log" >&2
		die "genisoimage failed"
	}
	rm -rf "$root"
}

# boot BOARD RUN [--name NAME] [--append VARIABLES] [--judge OPTION] [OPTION...]: one machine from
# power on to power off, which runs tests/guest/freebsd/runs/RUN.sh. mk/xtask judges its console as
# that of the run NAME and prints a row; it fails if anything is wrong.
boot() {
	local board=$1 run=$2 script=$2.sh status=0 driver=etnaviv append="" options=() judge=() \
		began=$SECONDS
	shift 2
	while [ $# -gt 0 ]; do
		case $1 in
		--name) run=$2 ;;
		--append) append=$2 ;;
		--judge) judge+=("$2") ;;
		*) options+=("$1" "$2") ;;
		esac
		shift 2
	done
	case $board in rk3399 | mali-*) driver=panfrost ;; esac
	log=$out/$label-$board-$cpus-$run.log
	local environment="vmtest.board=$board vmtest.driver=$driver vmtest.run=$script"
	environment+=" vmtest.limit=$((limit - 20))"
	# Without it devctl(4) queues events for a devd(8) that does not run.
	"$TARGET/release/drmboard" vm --os freebsd --cpus "$cpus" --board "$board" --kernel \
		"$kernel" --root "$iso" --stats --trace "${log%.log}.trace" --timeout "$limit" \
		--silence "$silence" \
		--append "kern.elf64.fallback_brand=3 hw.bus.devctl_queue=0 $environment $append" \
		${options[@]+"${options[@]}"} >"$log" 2>&1 || status=$?
	tr -d '\r\0' <"$log" >"$log.text" && mv "$log.text" "$log"
	xtask console freebsd "$board" "$run" "$log" --status "$status" --seconds \
		$((SECONDS - began)) --label "$label" --cpus "$cpus" ${judge[@]+"${judge[@]}"} || {
		bad=1
		return 1
	}
}

clients() { boot "$1" clients || :; }

reload() { boot "$1" reload || :; }

# cases BOARD: those that do not pass are in tests/guest/freebsd/suite.txt, with reasons. They
# provoke the model, which is not checked. Work is as long as in mk/crosscheck.sh, and for the same
# reasons.
cases() {
	local scale=1
	case $1 in imx*) scale=20 ;; esac
	boot "$1" cases --work-scale "$scale" || :
}

# fault BOARD RUN SPEC FIRST: a fault planted when six jobs have been started, that is for the frame
# which clears to white, or the one before. FIRST is how the client ends that meets it: `any` where
# that is not always the same job.
fault() { boot "$1" fault --inject "$3" --append "vmtest.first=$4" --name "$2" || :; }

faults() {
	fault "$1" hang hang:after=6 any
	case $1 in rk3399) fault "$1" jobfault jobfault:after=6 any ;; esac
	fault "$1" buserror buserror:access=10,after=6 any
	fault "$1" mmufault fault:access=10,after=6 any
	fault "$1" loseirq lose-irq:after=6 0
}

killed() { boot "$1" killed || :; }

lowmem() { boot "$1" lowmem || :; }

crowd() { boot "$1" crowd || :; }

busy() {
	boot "$1" busy || :
	boot "$1" busy --inject hang:after=20 --name busyhang || :
}

force() { boot "$1" force || :; }

vm() { boot "$1" pages --name vm --append kern.racct.enable=1 || :; }

inflight() { boot "$1" inflight || :; }

power() { boot "$1" power --append vmtest.shutdown=1 || :; }

kinds() { boot "$1" kinds || :; }

signals() {
	local limit=$((SIGNALS / 50 + limit)) silence=$((SIGNALS / 50 + silence))
	boot "$1" signals --append "vmtest.signals=$SIGNALS" --judge "--count=$SIGNALS" || :
}

# One machine after the other; each ends in a few seconds.
boots() {
	local n good=0 began=$SECONDS
	for ((n = 1; n <= COUNT; n++)); do
		if boot "$1" boots --judge --quiet; then
			good=$((good + 1))
		else
			cp "$log" "${log%.log}-$n.log"
			say "boot $n: ${log%.log}-$n.log"
		fi
	done
	xtask console freebsd-machines "$1" boots "$good" --status 0 --seconds \
		$((SECONDS - began)) --label "$label" --cpus "$cpus" --count "$COUNT"
}

force100() { boot "$1" force100 || :; }

# How long a small client's jobs take beside neighbours, and beside processes that burn as much
# processor time. Nothing is too long here; mk/bench.sh has a bound, on the host.
latency() {
	local limit=1800 silence=1800
	local submits=${SUBMITS:-2000}
	boot "$1" latency --append "vmtest.submits=$submits vmtest.rounds=$ROUNDS" \
		--judge "--count=$submits" || :
}

# Whether the last submits of many cost what the first ones do. Their trace would be gigabytes.
million() {
	local submits=${SUBMITS:-1000000} cpus=1
	local limit=$((submits / 250 + limit)) silence=$((submits / 250 + silence))
	local counts=$out/$label-$1-$cpus-million.counts
	rm -f "$counts"
	boot "$1" million --count "$counts" --trace /dev/null \
		--append "vmtest.submits=$submits" --judge "--count=$submits" || :
}

# instructions BOARD N: jobs whose instructions are counted, into BOARD-count-N.counts: mk/bench.sh
# shows them.
instructions() {
	local counts=$out/$1-count-$2.counts
	rm -f "$counts"
	boot "$1" count --count "$counts" --name "count-$2" || :
}

if [ "${1:-}" = unless-none ]; then
	if [ -z "$(kernels)" ]; then
		say "skipped: no FreeBSD kernel: say KERNEL=.../kernel.bin"
		exit 0
	fi
	shift
fi
# Instructions are counted on one processor, where nothing runs beside.
cpus=1
# What a kernel with INVARIANTS and WITNESS checks would be most of what is counted.
if [ "${1:-}" = count ] && [ -z "${KERNEL:-}" ]; then
	KERNEL=$(kernels | grep -v '/[^/]*DEBUG[^/]*/kernel\.bin$' | head -n 1)
	[ -n "$KERNEL" ] || die "all kernels have DEBUG in their names: say KERNEL=.../kernel.bin"
fi
[ -n "$(kernels)" ] ||
	die "no FreeBSD/arm64 kernel: set KERNEL=.../kernel.bin and SYSDIR=.../sys" \
		"($modules_needed, too)"
mk/need.sh vmtest
mk/build.sh
mkdir -p "$out"
say "build: the library for QEMU"
cargo build --release -p qemu_board
say "build: the suite for arm64"
CARGO_PROFILE_RELEASE_STRIP=debuginfo mk/arm64.sh build --release -p atf --bins
stock_linux
native
if [ -z "${KMOD:-}" ]; then
	say "build: the module"
	KMOD=$out/kmod/drmkpi.ko
	rm -f "$KMOD"
	# Its audits are for `make kmod` to fail.
	env -u KERNEL -u KERNBUILDDIR SYSDIR="$SYSDIR" OUT="$out/kmod" mk/kmod.sh >"$out/kmod.log" \
		2>&1 || [ -e "$KMOD" ] || {
		tail -n 20 "$out/kmod.log" >&2
		die "the module cannot be built"
	}
fi
xtask console freebsd-header
for kernel in $(kernels); do
	label=$(basename "$(dirname "$kernel")")
	iso=$out/$label.iso
	image "$kernel" "$KMOD" "$iso"
	if [ "${1:-}" = count ]; then
		for board in $BOARDS; do
			for n in 1 2; do instructions "$board" "$n"; done
		done
		break
	fi
	for board in $BOARDS; do
		for cpus in $CPUS; do
			for run in $RUNS; do "$run" "$board"; done
		done
	done
done
exit "$bad"
