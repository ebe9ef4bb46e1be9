#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Benchmarks, each beside a peer in the same run, and a million submits to each driver. The result
# is also in target/bench/bench.txt, and a plot in target/bench/cost.png (docs/performance.md).
# Fails when a change of a page table takes more than 0.7 of the peer's instructions, when a command
# stream takes more than 0.67 of the peer's time, when a small client waits 1.5 times as long
# beside one that burdens the driver as beside one that burns as much processor time, when an
# operation among 100 times as many objects takes twice as many instructions, when a job in a guest
# takes more than its bound in parts of the stock driver's instructions, or when submits become
# dearer or leak memory. target/bench/scale.csv has the figures of the operations: series, number of
# objects, instructions. The peers are parts of Debian's linux- source-6.1, unpacked and built below
# target/bench; nothing else ever sees them.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

SUBMITS=${SUBMITS:-1000000}
out=$TARGET/bench

mk/need.sh build bench
mk/build.sh
mkdir -p "$out"
say "bench: building the peers"
{ tests/bench/peer/build.sh "$out" &&
	tests/bench/peer/etnaviv.sh "$out"; } >"$out/peer.log" 2>&1 || {
	tail -n 20 "$out/peer.log" >&2
	die "the peers do not build"
}
cargo build --release -p bench
say "bench: measuring"
"$TARGET/release/bench" "$out/libpeer.so" "$TARGET/release/drmboard" | tee "$out/bench.txt"
say "bench: copy and check a command stream; peer: the parser of Linux 6.1, which only checks"
"$TARGET/release/parser" "$out/libetnaviv_peer.so" tests/data/etnaviv/*.bin |
	tee -a "$out/bench.txt"
say "bench: a small client beside others, and beside threads that burn processor time" |
	tee -a "$out/bench.txt"
"$TARGET/release/latency" | tee -a "$out/bench.txt"
say "bench: one operation among few and many objects" | tee -a "$out/bench.txt"
"$TARGET/release/scale" "$out/scale.csv" | tee -a "$out/bench.txt"
# The only machine that says how many instructions a kernel executes is one that counts them.
# Without its packages it is left out.
say "bench: the kernel's instructions for a job: Linux 6.1's drivers, ours on FreeBSD" |
	tee -a "$out/bench.txt"
args=()
if mk/crosscheck.sh packages >"$out/guest.log" 2>&1; then
	BOARDS="rk3399 imx8mq" mk/crosscheck.sh count >>"$out/guest.log" 2>&1 || {
		tail -n 40 "$out/guest.log" >&2
		die "the guests did not end as they should"
	}
	rm -f "$TARGET"/vmtest/*-count-?.counts
	BOARDS="rk3399 imx8mq" mk/vmtest.sh unless-none count >"$out/freebsd.log" 2>&1 || {
		tail -n 40 "$out/freebsd.log" >&2
		die "the FreeBSD guests did not end as they should"
	}
	sed -n '/^skipped: /p' "$out/freebsd.log" | tee -a "$out/bench.txt"
	cargo build --release -p bench --bin guest --bin plot
	for board in rk3399 imx8mq; do
		args+=(-- "$board" "$TARGET/crosscheck/$board"-count-?.counts)
		if ls "$TARGET/vmtest/$board"-count-?.counts >/dev/null 2>&1; then
			args+=(ours "$TARGET/vmtest/$board"-count-?.counts)
		fi
	done
	"$TARGET/release/guest" "${args[@]:1}" | tee -a "$out/bench.txt"
else
	say "skipped: $(tail -n 1 "$out/guest.log")" | tee -a "$out/bench.txt"
fi
say "bench: what a job calls, and the instructions of our crates for it" | tee -a "$out/bench.txt"
"$TARGET/release/profile" "$out/series.csv" | tee -a "$out/bench.txt"
"$TARGET/release/plot" "$out/cost.png" /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf \
	"$out/series.csv" "${args[@]}"
for board in rk3399 imx8mq; do
	say "bench: $SUBMITS submits in one process on $board (a million take five minutes)"
	"$TARGET/release/million" "$SUBMITS" "$board" | tee -a "$out/bench.txt"
done
