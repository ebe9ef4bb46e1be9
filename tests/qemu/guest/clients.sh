# SPDX-License-Identifier: BSD-2-Clause
# Read by init: the clients, one after the other; then the driver is unloaded and loaded again. The
# marks cut the trace.
mark 1
# It ends with the number of platforms that it cannot open: Wayland and X11.
run eglinfo 2 eglinfo
mark 2
clear gles_clear 0
mark 3
run share 0 share
# Both drivers switch the GPU off when it was idle for a while: 50 ms and 200 ms.
sleep 1
mark 4
clear again 0
sleep 1
mark 5
driver=$(argument modules | sed 's/.*,//')
rmmod "$driver" || status=1
mark 6
insmod "/modules/$driver.ko" || status=1
sleep 1
mark 7
clear reloaded 0
