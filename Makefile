# SPDX-License-Identifier: BSD-2-Clause
# The front door. Every target installs the Debian packages that it lacks (saying which and why) and may be run again at any time.
#
#   make demo      unmodified arm64 Mesa on each virtual board: a table, and pictures in target/demo/
#   make test      unit tests and the kyua suite, counted by board; the last line is `N passed, N failed`   (BOARD=name: that board only)
#   make lint      rustfmt, clippy, rustdoc, generated bindings, licence lines
#   make audit     panic and unsafe audits of the kernel crates
#   make bench     benchmarks beside a peer; what a job costs the stock Linux drivers, and ours on FreeBSD
#   make crosscheck  Debian's stock Linux drivers and Mesa on the GPU models, in QEMU   (BOARDS="name ...": those boards only)
#   make mutants   faults planted in the models, and which of the checks above notice each: a table   (half an hour; MUTANTS="name ...")
#   make vmtest    drmkpi.ko, Mesa and the suite in a FreeBSD/arm64 guest   (KERNEL=.../kernel.bin, SYSDIR=..., BOARDS=..., RUNS=...: docs/vmtest.md)
#   make kmod      drmkpi.ko for FreeBSD/arm64, audited   (SYSDIR=..., KERNBUILDDIR=..., KERNEL=..., OUT=...: docs/kmod.md)
#
# Parts of these, for use by hand:
#   make overlays  the device tree overlays, compiled into target/overlays and applied to Linux's trees of the boards
#   make sysroot   Debian's arm64 Mesa, clients and development files, unpacked in target/sysroot, and those of Debian 13 in
#                  target/sysroot-trixie (nothing is installed)
#   make mesa-next the rows of make demo with the Mesa of Debian's unstable, on four boards; not part of CI. It is unpacked once:
#                  remove target/sysroot-sid for a newer one
#   make build     drmboard, its shims and the arm64 clients
#   make clean     removes what cargo built; the sysroot stays
#   make distclean removes target/
#
# mk/README says where everything comes out; mk/arm64.sh is cargo for arm64 Linux programs.

.PHONY: all demo test lint audit bench crosscheck mutants kmod vmtest overlays sysroot mesa-next build clean distclean

all: build

demo:
	@mk/demo.sh

test:
	@mk/test.sh

lint:
	@mk/lint.sh

audit:
	@mk/audit.sh

bench:
	@mk/bench.sh

crosscheck:
	@mk/crosscheck.sh
	@mk/abi.sh

mutants:
	@mk/mutants.sh $(MUTANTS)

kmod:
	@mk/kmod.sh

vmtest:
	@mk/vmtest.sh

overlays:
	@mk/overlays.sh

sysroot:
	@mk/sysroot.sh bookworm trixie

mesa-next:
	@SUITES=$${SUITES:-sid} BOARDS="$${BOARDS:-rk3399 imx8mq imx6q imx6qp}" mk/demo.sh

build:
	@mk/build.sh

clean:
	@rm -rf target/debug target/release target/arm64 target/audit target/doc target/shim target/kyua target/test target/demo target/bench target/crosscheck target/abi target/mutants target/kmod target/vmtest target/overlays target/ports

distclean:
	@rm -rf target
