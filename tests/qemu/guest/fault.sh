# SPDX-License-Identifier: BSD-2-Clause
# Read by init: a fault is planted in the model, for a job of the first client. How that one ends is
# in drmboard.first=STATUS of the kernel's command line; the same again has to be right.
clear first "$(argument first)"
clear gles_clear 0
run share 0 share
