/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Pages of buffers that processes lock with mlock(2), or copy on write, while the driver purges the
 * buffers, or is unloaded.
 */

#include "native_vm.h"

/* sys/mman.h */
#define MCL_FUTURE	2
#define INHERIT_SHARE	0
#define INHERIT_COPY	1

void
locked(void)
{
	struct buffer b = buffer();

	must("mlock", sys(SYS_MLOCK, b.words, SIZE));
	expect("locked memory is purged", purge(&b), 0);
	expect("wrong words of locked memory", wrong_words(&b), 0);
	must("munlock", sys(SYS_MUNLOCK, b.words, SIZE));
	/* One locked page keeps the whole buffer. */
	must("mlock of a page", sys(SYS_MLOCK, word_of(&b, 9), 8l));
	expect("a buffer with a locked page is purged", purge(&b), 0);
	expect("wrong words of a locked page", wrong_words(&b), 0);
	must("munlock of a page", sys(SYS_MUNLOCK, word_of(&b, 9), 8l));
	expect_purged("unlocked memory is purged", &b);
	/* Unmapping also unlocks. */
	b = buffer();
	must("mlock", sys(SYS_MLOCK, b.words, SIZE));
	done(&b);
}

void
locked_in_future(void)
{
	struct buffer b;

	must("mlockall", sys(SYS_MLOCKALL, MCL_FUTURE));
	b = buffer();
	expect("memory locked by mlockall is purged", purge(&b), 0);
	expect("wrong words of memory locked by mlockall", wrong_words(&b), 0);
	must("munlockall", sys(SYS_MUNLOCKALL));
	expect_purged("memory unlocked by munlockall is purged", &b);
}

/* A process that exits with locked pages unlocks them. */
void
locked_by_child(void)
{
	struct buffer b = buffer();
	long pid = must("fork", sys(SYS_FORK));

	if (pid == 0) {
		leave(sys(SYS_MLOCK, b.words, SIZE) != 0 || purge(&b) || wrong_words(&b) != 0);
	}
	expect_status("status of a child that exits with locked memory", pid, 0);
	expect_purged("memory of a child that has exited is purged", &b);
}

/* A child locks and unlocks a buffer while it is purged, which may succeed or not. */
void
locking(void)
{
	uint64_t until = now_ns() + 2000000000;
	struct buffer b;
	long pid;

	while (now_ns() < until) {
		b = buffer();
		pid = must("fork", sys(SYS_FORK));
		if (pid == 0) {
			for (;;) {
				sys(SYS_MLOCK, b.words, SIZE);
				sys(SYS_MUNLOCK, b.words, SIZE);
			}
		}
		sleep_ms(20);
		purge(&b);
		must("kill", sys(SYS_KILL, pid, SIGKILL));
		expect_status("status of a child that locks", pid, SIGKILL);
		done(&b);
	}
}

/*
 * Locks private memory. mlock(2) of a read-only mapping wires the buffer's own pages; of a writable
 * one it would copy them first.
 */
static void
lock_a_copy(struct buffer *b)
{
	must("mprotect of a copy", sys(SYS_MPROTECT, b->words, SIZE, PROT_READ));
	must("mlock of a copy", sys(SYS_MLOCK, b->words, SIZE));
	expect("a buffer with pages locked through a copy is purged", purge(b), 0);
	must("munlock of a copy", sys(SYS_MUNLOCK, b->words, SIZE));
	must("mprotect of a copy", sys(SYS_MPROTECT, b->words, SIZE, PROT_READ | PROT_WRITE));
}

/*
 * With minherit(2) INHERIT_COPY, a shared mapping becomes copy-on-write at fork(2): parent and
 * child each write to their own copy, and the buffer is unchanged.
 */
void
copied(void)
{
	struct buffer b = { driver->create(node, SIZE), NULL };
	volatile uint32_t *other = map(node, driver->offset(node, b.handle), SIZE,
	    PROT_READ | PROT_WRITE);
	long pid;

	b.words = map(node, driver->offset(node, b.handle), SIZE, PROT_READ | PROT_WRITE);
	*word_of(&b, 0) = WORD;
	must("minherit", sys(SYS_MINHERIT, b.words, SIZE, INHERIT_COPY));
	pid = must("fork", sys(SYS_FORK));
	if (pid == 0) {
		expect("a copied word", *word_of(&b, 0), WORD);
		*word_of(&b, 0) = 1;
		expect("a word of an untouched page", *word_of(&b, 1), 0);
		*word_of(&b, 2) = 2;
		lock_a_copy(&b);
		expect("a word of the child's copy", *word_of(&b, 2), 2);
		must("mlock of a copy", sys(SYS_MLOCK, b.words, SIZE));
		must("munlock of a copy", sys(SYS_MUNLOCK, b.words, SIZE));
		leave(failures != 0);
	}
	/* Another mapping of the buffer has the buffer's own pages. */
	expect("a page of a buffer that has a copy", other[5 * 1024], 0);
	other[5 * 1024] = 5;
	expect_status("status of a child with a copy", pid, 0);
	expect("the buffer's word", other[7], WORD);
	*word_of(&b, 3) = 3;
	expect("a word of the parent's copy in the buffer", other[3 * 1024 + 7], 0);
	lock_a_copy(&b);
	must("munmap", sys(SYS_MUNMAP, other, SIZE));
	if (driver->need != NULL) {
		expect("a buffer that was copied is purged", purge(&b), 1);
		expect("a word of a copy", *word_of(&b, 3), 3);
		expect("status of a reader of a page without a copy", reader(word_of(&b, 9)),
		    SIGBUS);
	}
	done(&b);
}

/*
 * The module is unloaded by force. Locked pages stay mapped, for this process alone, until they are
 * unlocked.
 */
void
vm_locked(int fd, const struct native_driver *of)
{
	uint64_t until = now_ns() + 20000000000;
	struct drm_cap cap = { CAP_PRIME, 0 };
	struct buffer b, half;

	node = fd;
	driver = of;
	b = buffer();
	half = buffer();
	must("mlock", sys(SYS_MLOCK, b.words, SIZE));
	must("mlock of a page", sys(SYS_MLOCK, word_of(&half, 1), 8l));
	while (drm(fd, GET_CAP, &cap) == 0 && now_ns() < until)
		sleep_ms(10);
	while (sys(SYS_KLDFIND, "drmkpi") >= 0 && now_ns() < until)
		sleep_ms(10);
	expect("wrong words of locked memory after the unload", wrong_words(&b), 0);
	*word_of(&b, 3) = 3;
	expect("status of a reader of an unlocked page", reader(word_of(&half, 2)), SIGBUS);
	must("munlock", sys(SYS_MUNLOCK, b.words, SIZE));
	must("munmap", sys(SYS_MUNMAP, b.words, SIZE));
	/* The other buffer is still locked at exit. */
}
