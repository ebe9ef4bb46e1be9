# SPDX-License-Identifier: BSD-2-Clause
# Sourced by init. The model injects a fault into a job of the first client, which must exit with
# drmboard.first=STATUS of the kernel's command line. The clients after it must succeed.
clear first "$(argument first)"
clear gles_clear 0
run share 0 share
