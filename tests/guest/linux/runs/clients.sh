# SPDX-License-Identifier: BSD-2-Clause
# Sourced by init: runs the clients, one after the other; then unloads the driver and loads it
# again. The marks divide the register trace into parts.
mark 1
# Its exit status is the number of platforms that it cannot open: Wayland and X11.
run eglinfo 2 eglinfo
mark 2
clear gles_clear 0
mark 3
run share 0 share
# Both drivers turn an idle GPU off, after 50 ms and 200 ms.
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
