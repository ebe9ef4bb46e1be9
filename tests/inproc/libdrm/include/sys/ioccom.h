/* SPDX-License-Identifier: BSD-2-Clause */
/* Where FreeBSD has the macros that make ioctl numbers; no call of the test gets
 * as far as a device, so that Linux's will do. */
#include <sys/ioctl.h>
