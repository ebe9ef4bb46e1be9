# SPDX-License-Identifier: BSD-2-Clause
# The entry point. `make` and `make help` print the text after `##` of each target. Every target
# installs the Debian packages that it lacks (after saying which, why, and their size), may be run
# again at any time, and ends with what it made and what to do next. mk/README lists where
# everything is written; mk/arm64.sh is cargo for arm64 Linux programs.

.PHONY: help all demo test fresh lint doc audit bench crosscheck mutants kmod vmtest overlays
.PHONY: sysroot mesa-next build clean distclean

# The last lines of a target: what it made, and what to do next.
made = @bash -c '. mk/lib.sh; made "$$@"' made
# The first command to try.
first = target/release/drmboard run --board rk3399 --stats -- gles_clear

help: ## this list
	@printf 'Targets. As root on Debian 12; everything is written below target/.\n\n'
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 } \
		/^## / { printf "\n%s\n", substr($$0, 4) }' $(MAKEFILE_LIST)
	@printf '\nStart with make demo. On disk: 4 GB after it, 12 GB after make test as well.\n'

all: build

## To see it run
demo: ## unmodified arm64 Mesa on each virtual board: a table, and pictures   (BOARDS="name ...")
	@mk/demo.sh
	$(made) "logs and pictures in target/demo" "$(first)" "make test"

mesa-next: ## the same with Debian unstable's Mesa; remove target/sysroot-sid for a newer one
	@SUITES="$${SUITES:-sid}" BOARDS="$${BOARDS:-rk3399 imx8mq imx6q imx6qp}" DURATION=2 \
		SCENES="build texture shading bump effect2d pulsar desktop buffer ideas jellyfish \
		terrain shadow" mk/demo.sh
	$(made) "logs and pictures in target/demo" "make demo, for Debian 12's and 13's"

build: ## drmboard, its shims and the arm64 clients: to run your own program on a board
	@mk/build.sh
	$(made) "drmboard, shims and arm64 clients" "$(first)" "target/release/drmboard --help"

sysroot: ## arm64 Mesa of Debian 12 and 13 in target/sysroot*, not installed (EXTRA="package ...")
	@mk/sysroot.sh bookworm trixie
	$(made) "target/sysroot and target/sysroot-trixie, roots of arm64 programs" "make build"

## To check it
test: ## unit tests and the kyua suite; the last line is N passed, N failed   (BOARD=name)
	@mk/test.sh

fresh: ## make demo and make test in a new bare Debian 12, target/fresh   (FRESH=dir; long)
	@mk/fresh.sh

lint: ## rustfmt, clippy, rustdoc, shellcheck, words, layers, manual pages, licence lines
	@mk/lint.sh
	$(made) "nothing: all checks of form passed" "make audit"

doc: ## the API documentation of all crates, with rustdoc
	@mk/doc.sh
	$(made) "target/doc/index.html" "docs/architecture.md, for the layers"

audit: ## panic and unsafe audits of the kernel crates
	@mk/audit.sh
	$(made) "target/audit, object code of the kernel crates, with no forbidden call" "make kmod"

crosscheck: ## Debian's stock Linux drivers and Mesa on the GPU models, in QEMU (BOARDS="name ...")
	@mk/crosscheck.sh
	@mk/abi.sh
	$(made) "logs in target/crosscheck and target/abi" "docs/crosscheck.md explains them"

mutants: ## faults planted in the models, and which checks detect each; long (MUTANTS="name ...")
	@mk/mutants.sh $(MUTANTS)
	$(made) "logs in target/mutants" "docs/crosscheck.md has the table"

bench: ## benchmarks beside a peer; instructions of a job of stock Linux drivers and of ours
	@mk/bench.sh
	$(made) "results in target/bench" "docs/performance.md describes them"

## For FreeBSD
kmod: ## drmkpi.ko for FreeBSD/arm64, audited (SYSDIR= KERNBUILDDIR= KERNEL= OUT=: docs/kmod.md)
	@mk/kmod.sh
	$(made) "target/kmod/drmkpi.ko" "docs/board.md, for a board" \
		"make vmtest KERNEL=/path/to/kernel.bin, for a FreeBSD guest"

overlays: ## the device tree overlays, compiled and applied to Linux's trees of the boards
	@mk/overlays.sh
	$(made) "target/overlays" "docs/board.md says which board needs which"

vmtest: ## drmkpi.ko and Mesa in a FreeBSD guest (KERNEL= SYSDIR= BOARDS= RUNS=: docs/vmtest.md)
	@mk/vmtest.sh
	$(made) "consoles and traces in target/vmtest" "docs/vmtest.md lists the runs"

## To clean up
clean: ## removes builds and results; keeps downloads
	@rm -rf target/debug target/release target/arm64 target/audit target/doc target/shim \
		target/kyua target/test target/demo target/bench target/crosscheck target/abi \
		target/mutants target/kmod target/vmtest target/overlays target/ports target/fresh \
		target/fresh.log

distclean: ## removes target/
	@rm -rf target
