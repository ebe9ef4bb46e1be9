#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# build.sh DIRECTORY: builds DIRECTORY/libpeer.so from Debian's linux-source-6.1: the parts of Linux
# that the benchmarks compare with those of drmkpi. Linux is GPL: it stays below DIRECTORY and only
# benchmarks load it. Headers that are not taken from Linux are empty files; shim.h replaces them.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
out=$1
archive=${LINUX_SOURCE:-/usr/src/linux-source-6.1.tar.xz}
taken=(
	drivers/iommu/io-pgtable-arm.c drivers/iommu/io-pgtable-arm.h include/linux/io-pgtable.h
	drivers/gpu/drm/scheduler/sched_main.c drivers/gpu/drm/scheduler/sched_entity.c
	drivers/gpu/drm/scheduler/sched_fence.c
	include/drm/gpu_scheduler.h include/drm/spsc_queue.h
	drivers/dma-buf/dma-fence.c include/linux/dma-fence.h
)

mkdir -p "$out"
if [ ! -e "$out/linux/.complete" ]; then
	rm -rf "$out/linux"
	mkdir -p "$out/linux"
	tar -xf "$archive" -C "$out/linux" --strip-components=1 "${taken[@]/#/linux-source-6.1/}"
	touch "$out/linux/.complete"
fi

rm -rf "$out/empty"
cd "$out/linux"
# Tracing is off: its header is empty like the others.
rm -f drivers/gpu/drm/scheduler/gpu_scheduler_trace.h
grep -hoE '#include [<"][^>"]*[>"]' "${taken[@]}" | sed 's/.*[<"]\(.*\)[>"]/\1/' | sort -u |
	while read -r header; do
	if [ -e "include/$header" ] || [ -e "drivers/iommu/$header" ]; then continue; fi
	mkdir -p "$out/empty/$(dirname "$header")"
	: >"$out/empty/$header"
done

# With the flags of the kernel's build, and without warnings.
cc -O2 -g -shared -fPIC -w -std=gnu11 -fno-strict-aliasing -fvisibility=hidden -I "$here" -I . -I \
	include -I "$out/empty" -include shim.h \
	"$here/iommu.c" "$here/sched.c" drivers/iommu/io-pgtable-arm.c \
	drivers/gpu/drm/scheduler/sched_entity.c drivers/gpu/drm/scheduler/sched_fence.c \
	drivers/dma-buf/dma-fence.c \
	-Wl,--no-undefined -o "$out/libpeer.so"
