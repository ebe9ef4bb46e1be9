/* SPDX-License-Identifier: BSD-2-Clause */

/* Helpers for memory, time, sysctls, devices, and drmboard's mailbox. */

#include "sys.h"

/* The physical address of drmboard's mailbox (tests/guest/machine/src/config.rs). */
#define MAILBOX	0x0cf00000ul
#define PAGE	4096ul

void *
memory(size_t bytes)
{
	long at = sys(SYS_MMAP, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1,
	    0l);

	if (at < 0) {
		say("mmap: errno %d\n", -at);
		leave(1);
	}
	return ((void *)at);
}

uint64_t
now_ns(void)
{
	struct timespec t = { 0, 0 };

	sys(SYS_CLOCK_GETTIME, CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.sec * 1000000000 + (uint64_t)t.nsec);
}

void
sleep_ms(uint64_t ms)
{
	struct timespec t = { (int64_t)(ms / 1000), (int64_t)(ms % 1000 * 1000000) };

	sys(SYS_NANOSLEEP, &t, NULL);
}

long
sysctl_int(const char *name)
{
	int value = 0;
	size_t len = sizeof(value);
	long error = sys(SYS_SYSCTLBYNAME, name, strlen(name), &value, &len, NULL, 0l);

	if (error < 0) {
		say("%s cannot be read: errno %d\n", name, -error);
		leave(1);
	}
	return (value);
}

long
devctl(uint64_t request, const char *name)
{
	struct devreq req;
	size_t len = strlen(name);
	long fd = sys(SYS_OPEN, "/dev/devctl2", O_RDWR, 0), error;

	memset(&req, 0, sizeof(req));
	memcpy(req.name, name, len < sizeof(req.name) ? len : sizeof(req.name) - 1);
	error = fd < 0 ? fd : sys(SYS_IOCTL, fd, request, &req);
	if (fd >= 0)
		sys(SYS_CLOSE, fd);
	return (-error);
}

const char *
kernel_env(const char *name)
{
	static char value[256];

	if (sys(SYS_KENV, KENV_GET, name, value, sizeof(value)) < 0)
		value[0] = '\0';
	return (value);
}

void
mail(uint32_t offset, uint32_t value)
{
	long fd, at;

	fd = sys(SYS_OPEN, "/dev/mem", O_RDWR, 0);
	at = fd < 0 ? fd :
	    sys(SYS_MMAP, NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, MAILBOX);
	if (at < 0)
		say("cannot map the mailbox: errno %d\n", -at);
	else
		*(volatile uint32_t *)(at + offset) = value;
	if (at > 0)
		sys(SYS_MUNMAP, at, PAGE);
	if (fd >= 0)
		sys(SYS_CLOSE, fd);
}
