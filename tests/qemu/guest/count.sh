# SPDX-License-Identifier: BSD-2-Clause
# Read by init: jobs for a driver whose instructions QEMU counts. It distinguishes modules by their
# addresses, which have to be fixed: tests/qemu/src/count.rs.
run kernel 0 grep '^ffff800008010000 T _stext$' /proc/kallsyms
run modules 0 awk '$NF !~ /^0xffff80000[0-7]/ { exit 1 }' /proc/modules
cat /proc/modules
run submits 0 submits "$(argument board)"
