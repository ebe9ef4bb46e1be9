# SPDX-License-Identifier: BSD-2-Clause
# Sourced by init: submits jobs while QEMU counts the instructions of the driver. QEMU distinguishes
# modules by their addresses, which must be fixed: tests/guest/qemu/src/count.rs.
run kernel 0 grep '^ffff800008010000 T _stext$' /proc/kallsyms
run modules 0 awk '$NF !~ /^0xffff80000[0-7]/ { exit 1 }' /proc/modules
cat /proc/modules
run submits 0 submits "$(argument board)"
