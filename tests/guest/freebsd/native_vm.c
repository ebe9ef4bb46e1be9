/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The VM system's operations on pages of buffers: all ways in which a process can have them wired,
 * held, copied or written to a file, while the driver purges the buffers. etnaviv(4) has no request
 * that lets a buffer be purged; with it only the operations are tested.
 */

#include "native_vm.h"

int node;
const struct native_driver *driver;

volatile uint32_t *
word_of(struct buffer *b, uint64_t page)
{
	return (b->words + page * 1024 + 7);
}

struct buffer
buffer(void)
{
	struct buffer b = { driver->create(node, SIZE), NULL };
	uint64_t i;

	b.words = map(node, driver->offset(node, b.handle), SIZE, PROT_READ | PROT_WRITE);
	for (i = 0; i < PAGES; i++)
		*word_of(&b, i) = WORD + (uint32_t)i;
	return (b);
}

long
wrong_words(struct buffer *b)
{
	long wrong = 0;
	uint64_t i;

	for (i = 0; i < PAGES; i++)
		wrong += *word_of(b, i) != WORD + (uint32_t)i;
	return (wrong);
}

void
done(struct buffer *b)
{
	struct drm_gem_close close = { b->handle, 0 };

	must("munmap", sys(SYS_MUNMAP, b->words, SIZE));
	must("GEM_CLOSE", drm(node, GEM_CLOSE, &close));
}

/* Has the kernel run its low-memory handlers. It calls them in another thread. */
static void
lowmem(void)
{
	static const char name[] = "debug.vm_lowmem";
	int value = 1;

	must(name, sys(SYS_SYSCTLBYNAME, name, strlen(name), NULL, NULL, &value, sizeof(value)));
	sleep_ms(150);
}

int
purge(struct buffer *b)
{
	if (driver->need == NULL)
		return (0);
	driver->need(node, b->handle, 0);
	lowmem();
	return (driver->need(node, b->handle, 1) == 0);
}

void
expect_purged(const char *what, struct buffer *b)
{
	if (driver->need != NULL) {
		expect(what, purge(b), 1);
		expect("status of a reader of purged memory", reader(b->words), SIGBUS);
	}
	done(b);
}

void
expect_status(const char *what, long pid, long wanted)
{
	int status = -1;

	must("wait4", sys(SYS_WAIT4, pid, &status, 0l, NULL));
	expect(what, status, wanted);
}

void
vm_interfaces(int fd, const struct native_driver *of)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
		{ "mlock", locked }, { "mlockall", locked_in_future }, { "child", locked_by_child },
		{ "copy", copied }, { "ptrace", traced }, { "sysctl", filled_by_sysctl },
		{ "pipe", in_a_pipe }, { "disk", from_a_disk }, { "advice", advised },
		{ "core", dumped }, { "execute", executed }, { "userptr", userptr },
		{ "wired", wired }, { "racct", accounted }, { "locking", locking },
	};
	size_t i;

	node = fd;
	driver = of;
	for (i = 0; i < nitems(tests); i++) {
		say("vm: %s\n", tests[i].name);
		tests[i].run();
	}
}
