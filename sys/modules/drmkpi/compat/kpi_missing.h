/* SPDX-License-Identifier: BSD-2-Clause */
/* for <device_if.h> */
/* for <bus_if.h> */
/* for <ofw_bus_if.h> */
/* for <dev/clk/clk.h> */
/* for <dev/regulator/regulator.h> */
/* for <dev/hwreset/hwreset.h> */
