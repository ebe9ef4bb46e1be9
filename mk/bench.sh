#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs every benchmark of the workspace (benches/ of its crates); each measures a peer in the same run and prints ratios.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mk/need.sh build bench
mapfile -t manifests < <(git ls-files -co --exclude-standard '*/benches/*.rs' | sed 's,/benches/.*,/Cargo.toml,' | sort -u)
[ "${#manifests[@]}" -gt 0 ] || die "no crate has a benches/ directory"
for manifest in "${manifests[@]}"; do
	say "bench: ${manifest%/Cargo.toml}"
	cargo bench -q --manifest-path "$manifest" --benches
done
