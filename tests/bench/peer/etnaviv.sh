#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# etnaviv.sh DIRECTORY: makes DIRECTORY/libetnaviv_peer.so, Linux's parser of Vivante command
# streams, from Debian's linux-source-6.1. Linux is GPL: it stays below DIRECTORY and only the
# benchmark `parser` loads it. Every header that Linux asks for and that is not taken from its
# source is empty here; etnaviv.h stands for all of them.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
out=$1
archive=${LINUX_SOURCE:-/usr/src/linux-source-6.1.tar.xz}
driver=drivers/gpu/drm/etnaviv
taken=("$driver/etnaviv_cmd_parser.c" "$driver/cmdstream.xml.h" lib/find_bit.c)

mkdir -p "$out"
if [ ! -e "$out/etnaviv/.complete" ]; then
	rm -rf "$out/etnaviv"
	mkdir -p "$out/etnaviv"
	tar -xf "$archive" -C "$out/etnaviv" --strip-components=1 "${taken[@]/#/linux-source-6.1/}"
	touch "$out/etnaviv/.complete"
fi

cd "$out/etnaviv"
grep -hoE '#include [<"][^>"]*[>"]' "${taken[@]}" | sed 's/.*[<"]\(.*\)[>"]/\1/' | sort -u |
	while read -r header; do
	if [ -e "$driver/$header" ]; then continue; fi
	mkdir -p "empty/$(dirname "$header")"
	: >"empty/$header"
done

# As the kernel is built; its warnings are its own affair.
cc -O2 -shared -fPIC -w -std=gnu11 -fno-strict-aliasing -I empty -include "$here/etnaviv.h" \
	"$driver/etnaviv_cmd_parser.c" lib/find_bit.c -Wl,-Bsymbolic -Wl,--no-undefined -o \
	"$out/libetnaviv_peer.so"
