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
#                      machines, 5), force100, and latency (SUBMITS=N in a measurement, 2000;
#                      medians of ROUNDS=N, 3)
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
SUBMITS=${SUBMITS:-2000}
ROUNDS=${ROUNDS:-3}
SYSDIR=${SYSDIR:-/usr/src/sys}
out=$TARGET/vmtest
# Seconds for one machine.
limit=300
bad=0

# What a console must not have: messages of the kernel, and of a module that leaks.
trouble='panic|lock order reversal|KDB|[Ww]itness|WITNESS|^Fatal|fatal trap'
trouble+='|Sleeping (thread|on)|acquiring .* with the following|leaked memory|was not empty'
trouble+='|still (busy|in use)|kldunload: .*Device busy|link_elf: symbol|undefined symbol'
trouble+='|unknown ioctl|vm_fault failed'
# Exceptions: lines with which WITNESS and others announce themselves.
harmless='^WARNING: WITNESS option enabled|^WARNING: DIAGNOSTIC|^VT\('
harmless+='|^KDB: debugger backends|^KDB: current backend'

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
	local common=(tests/vm/start.c tests/vm/text.c tests/vm/system.c)
	mkdir -p "$out/native"
	build() {
		clang-19 "${flags[@]}" -nostdlib -static -fuse-ld=lld -o "$out/native/$1" \
			"${common[@]}" "${@:2}"
	}
	build init tests/vm/init.c
	build vmctl tests/vm/vmctl.c tests/vm/usage.c tests/vm/sysctl.c
	build native_drm tests/vm/native_*.c
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
	cp tests/vm/guest/*.sh tests/qemu/guest/lib.sh tests/qemu/guest/suite.sh "$root/vmtest/"
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

# boot KERNEL BOARD RUN STATUS [--name NAME] [--append VARIABLES] [OPTION...]: one machine from
# power on to power off; tests/vm/guest/RUN.sh has to end with STATUS, or `any`.
boot() {
	local kernel=$1 board=$2 run=$3 script=$3.sh expected=$4 status=0 driver=etnaviv append="" \
		options=() began=$SECONDS
	shift 4
	while [ $# -gt 0 ]; do
		case $1 in
		--name) run=$2 ;;
		--append) append=$2 ;;
		*) options+=("$1" "$2") ;;
		esac
		shift 2
	done
	case $board in rk3399 | mali-*) driver=panfrost ;; esac
	log=$out/$label-$board-$cpus-$run.log
	ok=ok
	local environment="vmtest.board=$board vmtest.driver=$driver vmtest.run=$script"
	environment+=" vmtest.limit=$((limit - 20))"
	# Without it devctl(4) queues events for a devd(8) that does not run.
	"$TARGET/release/drmboard" vm --os freebsd --cpus "$cpus" --board "$board" --kernel \
		"$kernel" --root "$iso" --stats --trace "${log%.log}.trace" --timeout "$limit" \
		--append "kern.elf64.fallback_brand=3 hw.bus.devctl_queue=0 $environment $append" \
		${options[@]+"${options[@]}"} >"$log" 2>&1 || status=$?
	tr -d '\r\0' <"$log" >"$log.text" && mv "$log.text" "$log"
	took=$((SECONDS - began))
	if [ "$expected" != any ] && [ "$status" != "$expected" ]; then
		wrong "the guest ended with $status"
	fi
	grep -E -- "$trouble" "$log" | grep -vE -- "$harmless" >"$log.bad" || :
	grep '^model ' "$log" | grep -vE '^model [^ ]+ (chains|events|power-ups)=' >"$log.model" ||
		:
}

# row RUN STEP [FIGURE]: a line of the table.
row() {
	printf '%-8s %-8s %4s  %-10s %-28s %5s s  %s\n' "$label" "$1" "$cpus" "$2" "${3:--}" \
		"$took" "$ok"
}

# verdict BOARD RUN FIGURE: nothing may be left over.
verdict() {
	if [ -s "$log.bad" ]; then wrong "the console: $(head -n 20 "$log.bad")"; fi
	if [ -s "$log.model" ]; then wrong "the model: $(cat "$log.model")"; fi
	row "$@"
	if [ "$ok" != ok ]; then tail -n 25 "$log" | sed 's/^/    /'; fi
	rm -f "$log".{bad,model,rest}
}

# ended NAME STATUS: how a step of the guest's script ended.
ended() { said "^guest: $1 ended with $2\$"; }

clients() {
	local step
	boot "$kernel" "$1" clients 0
	for step in load nodes sysctl dri native gles_clear share pixels unload leaks; do
		ended "$step" 0
	done
	said "^gles_clear: renderer: $(renderer_of "$1")\$"
	said "^eglinfo: EGL driver name: $(case $1 in \
		imx*) say etnaviv ;; *) say panfrost ;; esac)\$"
	said "^gles_clear: frames 15 ok\$"
	said "^native: native [a-z]* ok\$"
	said "^pixels: pixels 333x77: #78123456\$"
	said '^share: share 333x77 ok$'
	verdict "$1" clients "$(sed -n 's/^gles_clear: renderer: //p' "$log" | tail -n 1)"
}

reload() {
	boot "$kernel" "$1" reload 0
	ended reload 0
	said '^gles_clear: frames 15 ok$'
	verdict "$1" reload "$(sed -n 's/^reload: loaded and unloaded //p' "$log")"
}

# cases BOARD: those that do not pass are in tests/vm/suite.txt, with reasons. They provoke the
# model, which is not checked. Work is as long as in mk/crosscheck.sh, and for the same reasons.
cases() {
	local scale=1
	case $1 in imx*) scale=20 ;; esac
	boot "$kernel" "$1" cases 0 --work-scale "$scale"
	suite_result "$1" tests/vm/suite.txt
	: >"$log.model"
	verdict "$1" cases "$passed passed, $failed differ"
}

# fault BOARD RUN SPEC FIRST: a fault planted when six jobs have been started, that is for the frame
# which clears to white, or the one before. FIRST is how the client ends that meets it: `any` where
# that is not always the same job. What the model says of it is the caller's to check.
fault() {
	boot "$kernel" "$1" fault 0 --inject "$3" --append "vmtest.first=$4" --name "$2"
	said '^gles_clear: frames 15 ok$'
	said '^share: share 333x77 ok$'
	ended unload 0
	grep -qE '^model .* injected=1$' "$log" || wrong "the fault did not happen"
}

# stopped BOARD: our driver stops a Mali's job that hangs before it resets the GPU; the model counts
# that as its end.
stopped() { case $1 in rk3399) modelled 1 'exception 4 count=1$' ;; esac; }

faults() {
	case $1 in
	rk3399)
		fault "$1" hang hang:after=6 any
		stopped "$1"
		verdict "$1" hang
		fault "$1" jobfault jobfault:after=6 any
		modelled 1 'exception 88 count=1$'
		verdict "$1" jobfault
		fault "$1" buserror buserror:access=10,after=6 any
		modelled 1 'exception 72 count=1$'
		verdict "$1" buserror
		fault "$1" mmufault fault:access=10,after=6 any
		modelled 1 'mmu-fault 195 count=1$'
		# Its job ends at once.
		modelled 1 'exception 72 count=1$'
		verdict "$1" mmufault
		;;
	imx8mq)
		fault "$1" hang hang:after=6 any
		verdict "$1" hang
		fault "$1" buserror buserror:access=10,after=6 any
		modelled 1 'bus-error count=1$'
		verdict "$1" buserror
		fault "$1" mmufault fault:access=10,after=6 any
		modelled 1 'mmu-fault 2 count=1$'
		verdict "$1" mmufault
		;;
	esac
	# The work was done, only its interrupt was lost.
	fault "$1" loseirq lose-irq:after=6 0
	verdict "$1" loseirq
}

killed() {
	boot "$kernel" "$1" killed 0
	said '^gles_clear: frames 15 ok$'
	said '^counters: dev\.[a-z]*\.0\.open_files: 0$'
	ended unload 0
	verdict "$1" killed
}

lowmem() {
	boot "$kernel" "$1" lowmem 0
	ended lowmem1 0
	ended lowmem2 0
	said '^gles_clear: frames 15 ok$'
	verdict "$1" lowmem "$(sed -n 's/^guest: short of memory //p' "$log")"
}

crowd() {
	local n
	boot "$kernel" "$1" crowd 0
	for n in 1 2 3 4; do ended "crowd$n" 0; done
	ended unload 0
	verdict "$1" crowd \
		"$(sed -n 's/^crowd[1-4]: \([0-9]*\) rounds$/\1/p' "$log" |
		awk '{ n += $1 } END { print n + 0 }') rounds of 4 in 60 s"
}

busy() {
	boot "$kernel" "$1" busy 0
	said '^guest: EBUSY [1-9][0-9]* times$'
	ended busy 0
	verdict "$1" busy "$(sed -n 's/^guest: EBUSY //p' "$log") EBUSY"
	boot "$kernel" "$1" busy any --inject hang:after=20 --name busyhang
	said '^guest: EBUSY [1-9][0-9]* times$'
	said '^gles_clear: frames 15 ok$'
	ended unload 0
	stopped "$1"
	verdict "$1" busyhang "$(sed -n 's/^guest: EBUSY //p' "$log") EBUSY"
}

force() {
	boot "$kernel" "$1" force 0
	ended forced 0
	ended holder 0
	said '^gles_clear: frames 15 ok$'
	ended unload 0
	verdict "$1" force
}

vm() {
	boot "$kernel" "$1" pages 0 --name vm --append kern.racct.enable=1
	said '^vm: native [a-z]* ok$'
	said '^locked: native [a-z]* ok$'
	ended locked 0
	ended unload 0
	ended wired 0
	verdict "$1" vm
}

inflight() {
	boot "$kernel" "$1" inflight 0
	ended inflight 0
	said '^gles_clear: frames 15 ok$'
	ended unload 0
	verdict "$1" inflight \
		"$(sed -n 's/^inflight: files closed while the collector ran: //p' "$log") at once"
}

# quiet: no register is touched from a mark 1001 to the 1002 after it, and there are such marks.
quiet() {
	awk '$2 == "mark" && $3 == 1001 { in_it = 1; n++ } $2 == "mark" && $3 == 1002 { in_it = 0 }
		$2 == "mmio" && $3 ~ /^gpu@/ && in_it { touched++ }
		END { if (n == 0 || touched != 0) {
			print n + 0 " times suspended, " touched + 0 " accesses"
			exit 1 } }' \
		"${log%.log}.trace" >"$log.rest" || wrong "while suspended: $(cat "$log.rest")"
}

# shut_down: the GPU works after mark 1003, and is off at the end.
shut_down() {
	awk '
		$2 == "mark" && $3 == 1003 { in_it = 1 }
		in_it && $2 == "mmio" && $3 ~ /^gpu@/ { touched++; if (off) late++ }
		in_it && $2 == "power" && $3 ~ /^gpu@/ { off = $4 == 0; late = 0 }
		END {
			if (off && touched && !late) exit 0
			print touched + 0 " accesses, " late + 0 " when off; off: " off + 0
			exit 1
		}
	' "${log%.log}.trace" >"$log.rest" || wrong "shutdown: $(cat "$log.rest")"
}

power() {
	boot "$kernel" "$1" power 0 --append vmtest.shutdown=1
	said '^guest: suspended [1-9][0-9]* times$'
	ended client1 0
	ended client2 0
	said '^gles_clear: frames 15 ok$'
	ended unload 0
	quiet
	shut_down
	verdict "$1" power "$(sed -n 's/^guest: suspended //p' "$log") suspended"
}

kinds() {
	local name
	boot "$kernel" "$1" kinds 0
	for name in draw share native kill blink lowmem forced churn unload; do
		ended "$name" 0
	done
	said '^gles_clear: frames 15 ok$'
	verdict "$1" kinds \
		"$(sed -n 's/^\(draw\|share\|native\|kill\): \([0-9]*\) rounds$/\2/p' "$log" |
		awk '{ n += $1 } END { print n + 0 }') clients"
}

# sum PATTERN: of the numbers at the ends of the lines that begin so.
sum() { sed -n "s/^$1//p" "$log" | awk '{ n += $1 } END { print n + 0 }'; }

# The driver and the model count the jobs, too: each has run once.
signals() {
	local limit=$((SIGNALS / 50 + 300)) seen jobs
	boot "$kernel" "$1" signals 0 --append "vmtest.signals=$SIGNALS"
	ended native 0
	ended linux 0
	ended leaks 0
	ended unload 0
	seen=$(sum '\(native\|linux\): signals ') jobs=$(sum '\(native\|linux\): jobs ')
	if [ "$seen" -lt "$SIGNALS" ]; then wrong "$seen signals, not $SIGNALS"; fi
	said "^counters: dev\.[a-z]*\.0\.jobs: $jobs\$"
	case $1 in
	rk3399) said "^model .* chains=$jobs " ;;
	imx8mq) said "^model .* pixels=$((jobs * 1024 * 256)) " ;;
	esac
	verdict "$1" signals "$seen signals, $jobs jobs"
}

# One machine after the other; each ends in a few seconds.
boots() {
	local n good=0 began=$SECONDS all=ok
	for ((n = 1; n <= COUNT; n++)); do
		boot "$kernel" "$1" boots 0
		ended load 0
		said '^gles_clear: frames 1 ok$'
		if [ -s "$log.bad" ]; then wrong "the console: $(head -n 20 "$log.bad")"; fi
		if [ "$ok" = ok ]; then
			good=$((good + 1))
		else
			all=$ok
			cp "$log" "${log%.log}-$n.log"
			say "boot $n: ${log%.log}-$n.log"
		fi
		rm -f "$log".{bad,model,rest}
	done
	ok=$all took=$((SECONDS - began))
	row "$1" boots "$good of $COUNT"
}

force100() {
	local limit=900
	boot "$kernel" "$1" force100 0
	said '^guest: forced 100 times$'
	said '^gles_clear: frames 15 ok$'
	ended unload 0
	verdict "$1" force100
}

# How long a small client's jobs take beside neighbours, and beside processes that burn as much
# processor time. Nothing is too long here; mk/bench.sh has a bound, on the host.
latency() {
	local limit=1800
	boot "$kernel" "$1" latency 0 --append "vmtest.submits=$SUBMITS vmtest.rounds=$ROUNDS"
	ended latency 0
	ended unload 0
	said '^latency: latency: floods a buffer with fences: .* ratio '
	sed -n 's/^latency: latency: /  /p' "$log"
	verdict "$1" latency "$SUBMITS submits"
}

# instructions BOARD N: jobs whose instructions are counted, into BOARD-count-N.counts: mk/bench.sh
# shows them.
instructions() {
	# While the guest waits for its disk its clock runs ahead, by minutes on a busy host.
	local counts=$out/$1-count-$2.counts limit=900
	rm -f "$counts"
	boot "$kernel" "$1" count 0 --count "$counts" --name "count-$2"
	ended submits 0
	verdict "$1" "count-$2" "$(sed -n 's/^\(drmkpi at .*\)$/\1/p' "$log")"
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
printf '\n%-8s %-8s %4s  %-10s %-28s %7s  %s\n' kernel board cpus run "" time result
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
