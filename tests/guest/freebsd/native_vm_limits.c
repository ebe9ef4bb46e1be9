/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The limits that the memory of clients counts against: wired pages, and the swapuse of racct(4).
 */

#include "native_vm.h"

static uint64_t
long_of(const char *name)
{
	uint64_t value = 0;
	size_t len = sizeof(value);

	must(name, sys(SYS_SYSCTLBYNAME, name, strlen(name), &value, &len, NULL, 0l));
	return (value);
}

static void
set_long(const char *name, uint64_t value)
{
	must(name, sys(SYS_SYSCTLBYNAME, name, strlen(name), NULL, NULL, &value, sizeof(value)));
}

static const char wire_count[] = "vm.stats.vm.v_user_wire_count", max_wired[] = "vm.max_user_wired";

/* Opens a file of its own and touches each page of a buffer. */
[[noreturn]] static void
touch_all(void)
{
	struct buffer b;

	node = (int)must("open", sys(SYS_OPEN, RENDER_NODE, O_RDWR, 0l));
	b = buffer();
	expect("wrong words", wrong_words(&b), 0);
	leave(failures != 0);
}

/* Pages of buffers are counted with those that mlock(2) wires, and limited by vm.max_user_wired. */
void
wired(void)
{
	uint64_t before = long_of(wire_count), max = long_of(max_wired);
	struct buffer b = buffer();
	long pid, error;
	int status = -1;

	expect("wired pages of a buffer", (long)(long_of(wire_count) - before), PAGES);
	done(&b);
	expect("wired pages after GEM_CLOSE", (long)(long_of(wire_count) - before), 0);
	if (driver->need != NULL) {
		b = buffer();
		expect("memory that is not needed is purged", purge(&b), 1);
		expect("wired pages of a purged buffer", (long)(long_of(wire_count) - before), 0);
		done(&b);
	}
	if (driver->user != NULL) {
		expect("memory as a buffer", driver->user(node, memory(SIZE), SIZE), 0);
		expect("wired pages after GEM_CLOSE", (long)(long_of(wire_count) - before), 0);
		set_long(max_wired, before + PAGES - 1);
		error = driver->user(node, memory(SIZE), SIZE);
		expect("memory as a buffer past the limit", error, -ENOMEM);
	}
	set_long(max_wired, before + PAGES / 2);
	pid = must("fork", sys(SYS_FORK));
	if (pid == 0)
		touch_all();
	must("wait4", sys(SYS_WAIT4, pid, &status, 0l, NULL));
	/*
	 * It fails where the buffer is created, or, if pages are allocated at the first touch, by
	 * SIGBUS.
	 */
	expect("ENOMEM or SIGBUS past the limit", status == SIGBUS || status == ENOMEM << 8, 1);
	set_long(max_wired, before + PAGES);
	b = buffer();
	expect("wrong words at the limit", wrong_words(&b), 0);
	expect("mlock at the limit", sys(SYS_MLOCK, memory(4096), 4096l), -ENOMEM);
	done(&b);
	set_long(max_wired, max);
	expect("wired pages after GEM_CLOSE", (long)(long_of(wire_count) - before), 0);
}

/* A system call of rctl(8). Returns an errno, or 0. */
static long
rctl(long request, const char *rule, char *out, size_t len)
{
	return (-sys(request, rule, strlen(rule) + 1, out, len));
}

/* Returns the swapuse of user 0 by racct(4), in bytes. */
static uint64_t
swap_use(void)
{
	static const char name[] = "swapuse=";
	char usage[1024], *at = usage;

	memset(usage, 0, sizeof(usage));
	expect("rctl_get_racct", rctl(SYS_RCTL_GET_RACCT, "user:0:", usage, sizeof(usage) - 1), 0);
	while (*at != '\0' && strncmp(at, name, strlen(name)) != 0)
		at++;
	return (number_of(*at == '\0' ? at : at + strlen(name)));
}

/* Adds or removes a rule that limits the swapuse of user 0. */
static void
deny(long request, uint64_t bytes)
{
	char rule[64] = "user:0:swapuse:deny=", digits[24];
	size_t n = 0, at = strlen(rule);

	do {
		digits[n++] = (char)('0' + bytes % 10);
		bytes /= 10;
	} while (bytes > 0);
	while (n > 0)
		rule[at++] = digits[--n];
	expect(rule, rctl(request, rule, NULL, 0), 0);
}

#define FILES	40
/* The least that is charged for an open file. */
#define FILE_BYTES	(32l << 10)

/* A client's kernel memory is charged to its user's swapuse; rules of rctl(8) limit it. */
void
accounted(void)
{
	long fds[FILES], before = (long)swap_use(), limit, n;

	for (n = 0; n < FILES; n++)
		fds[n] = must("open", sys(SYS_OPEN, RENDER_NODE, O_RDWR, 0l));
	expect("open files are charged to swapuse",
	    (long)swap_use() - before >= FILES * FILE_BYTES, 1);
	for (n = 0; n < FILES; n++)
		sys(SYS_CLOSE, fds[n]);
	expect("closed files are still charged", (long)swap_use() - before >= FILE_BYTES, 0);
	limit = before + FILES / 2 * FILE_BYTES;
	deny(SYS_RCTL_ADD_RULE, (uint64_t)limit);
	for (n = 0; n < FILES; n++) {
		fds[n] = sys(SYS_OPEN, RENDER_NODE, O_RDWR, 0l);
		if (fds[n] < 0)
			break;
	}
	expect("some files are open at the limit", n > 0 && n <= FILES / 2, 1);
	expect("open past a limit of rctl(8)", n < FILES ? fds[n] : 0, -ENOMEM);
	expect("swapuse exceeds the limit", (long)swap_use() > limit, 0);
	while (n-- > 0)
		sys(SYS_CLOSE, fds[n]);
	deny(SYS_RCTL_REMOVE_RULE, (uint64_t)limit);
	expect("closed files are still charged", (long)swap_use() - before >= FILE_BYTES, 0);
}
