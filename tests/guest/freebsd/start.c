/* SPDX-License-Identifier: BSD-2-Clause */

/* The entry point of a program, and the system call. */

#include "sys.h"

/* At entry x0 points to argc, followed by the arguments and the environment. */
__asm__(
	".globl _start\n"
	"_start:\n"
	"	mov x29, #0\n"
	"	mov x30, #0\n"
	"	bl begin\n"
	"	brk #1\n"
);

/*
 * The kernel takes the number in x8 and the arguments in x0 to x5.  It returns with the carry flag
 * set if x0 is an errno.
 */
__asm__(
	".globl sys\n"
	"sys:\n"
	"	mov x8, x0\n"
	"	mov x0, x1\n"
	"	mov x1, x2\n"
	"	mov x2, x3\n"
	"	mov x3, x4\n"
	"	mov x4, x5\n"
	"	mov x5, x6\n"
	"	svc #0\n"
	"	b.cc 1f\n"
	"	neg x0, x0\n"
	"1:	ret\n"
);

void begin(uint64_t *args);

void
leave(int status)
{
	for (;;)
		sys(SYS_EXIT, status);
}

void
begin(uint64_t *args)
{
	int argc = (int)args[0];
	char **argv = (char **)(args + 1);

	leave(main(argc, argv, argv + argc + 1));
}
