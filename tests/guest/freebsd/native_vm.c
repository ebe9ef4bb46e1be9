/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The VM system's operations on pages of buffers: all ways in which a process can have them wired,
 * held, copied or written to a file, while the driver purges the buffers. etnaviv(4) has no request
 * that lets a buffer be purged; with it only the operations are tested.
 */

#include "drm.h"

#define PAGES	64ul
#define SIZE	(PAGES * 4096)
#define WORD	0x5ca1ab1eu

/* sys/mman.h, sys/ptrace.h, sys/fcntl.h */
#define MCL_FUTURE	2
#define INHERIT_SHARE	0
#define INHERIT_COPY	1
#define MS_INVALIDATE	2
#define MADV_WILLNEED	3
#define MADV_DONTNEED	4
#define MADV_FREE	5
#define PT_ATTACH	10
#define PT_DETACH	11
#define PT_IO	12
#define PIOD_READ	1
#define PIOD_WRITE	2
#define SEEK_END	2

struct ptrace_io {
	int op;
	uint64_t at;
	void *memory;
	size_t len;
};

static int node;
static const struct native_driver *driver;

struct buffer {
	uint32_t handle;
	volatile uint32_t *words;
};

/* A word of a page, which buffer() sets. */
static volatile uint32_t *
word_of(struct buffer *b, uint64_t page)
{
	return (b->words + page * 1024 + 7);
}

static struct buffer
buffer(void)
{
	struct buffer b = { driver->create(node, SIZE), NULL };
	uint64_t i;

	b.words = map(node, driver->offset(node, b.handle), SIZE, PROT_READ | PROT_WRITE);
	for (i = 0; i < PAGES; i++)
		*word_of(&b, i) = WORD + (uint32_t)i;
	return (b);
}

static long
wrong_words(struct buffer *b)
{
	long wrong = 0;
	uint64_t i;

	for (i = 0; i < PAGES; i++)
		wrong += *word_of(b, i) != WORD + (uint32_t)i;
	return (wrong);
}

/* Unmaps and closes a buffer. */
static void
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

/* Allows the driver to purge a buffer, has memory run low, and returns whether it was purged. */
static int
purge(struct buffer *b)
{
	if (driver->need == NULL)
		return (0);
	driver->need(node, b->handle, 0);
	lowmem();
	return (driver->need(node, b->handle, 1) == 0);
}

/* Expects that a buffer can be purged, and closes it. */
static void
expect_purged(const char *what, struct buffer *b)
{
	if (driver->need != NULL) {
		expect(what, purge(b), 1);
		expect("status of a reader of purged memory", reader(b->words), SIGBUS);
	}
	done(b);
}

/* Waits for a child and expects its status. */
static void
expect_status(const char *what, long pid, long wanted)
{
	int status = -1;

	must("wait4", sys(SYS_WAIT4, pid, &status, 0l, NULL));
	expect(what, status, wanted);
}

static void
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

static void
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
static void
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
static void
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
static void
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

/* For ptrace(2) the kernel reads and writes pages through a mapping of its own. */
static void
traced(void)
{
	struct buffer b = buffer();
	long pid = must("fork", sys(SYS_FORK));
	uint32_t word = 0;
	struct ptrace_io io = { PIOD_READ, (uintptr_t)word_of(&b, 4), &word, sizeof(word) };
	int status;

	if (pid == 0) {
		for (;;)
			sleep_ms(1000);
	}
	must("PT_ATTACH", sys(SYS_PTRACE, PT_ATTACH, pid, NULL, 0l));
	must("wait4", sys(SYS_WAIT4, pid, &status, 0l, NULL));
	must("PT_IO", sys(SYS_PTRACE, PT_IO, pid, &io, 0l));
	expect("a word that a debugger reads", word, WORD + 4);
	io.op = PIOD_WRITE;
	io.len = sizeof(word);
	word = 44;
	must("PT_IO", sys(SYS_PTRACE, PT_IO, pid, &io, 0l));
	if (purge(&b)) {
		io.op = PIOD_READ;
		io.len = sizeof(word);
		expect("PT_IO of purged memory fails", sys(SYS_PTRACE, PT_IO, pid, &io, 0l) < 0, 1);
	}
	sys(SYS_PTRACE, PT_DETACH, pid, 1l, 0l);
	must("kill", sys(SYS_KILL, pid, SIGKILL));
	expect_status("status of a traced child", pid, SIGKILL);
	done(&b);
}

/* sysctl(3) wires the memory that it fills. */
static void
filled_by_sysctl(void)
{
	static const char name[] = "kern.malloc_stats";
	struct buffer b = buffer();
	size_t len = SIZE;

	/* May fail with ENOMEM: on some machines the result is longer than the buffer. */
	sys(SYS_SYSCTLBYNAME, name, strlen(name), b.words, &len, NULL, 0l);
	expect_purged("memory that sysctl filled is purged", &b);
}

/* A large write to a pipe holds its pages until they are read. */
static void
in_a_pipe(void)
{
	static uint32_t got[SIZE / 4];
	struct buffer b = buffer();
	long n, at = 0, wrong = 0, pid;
	uint64_t i;
	int fds[2];

	must("pipe2", sys(SYS_PIPE2, fds, 0l));
	pid = must("fork", sys(SYS_FORK));
	if (pid == 0) {
		sys(SYS_CLOSE, (long)fds[0]);
		leave(sys(SYS_WRITE, (long)fds[1], b.words, SIZE) != (long)SIZE);
	}
	sys(SYS_CLOSE, (long)fds[1]);
	sleep_ms(100);
	purge(&b);
	while ((n = sys(SYS_READ, (long)fds[0], (char *)got + at, SIZE - (size_t)at)) > 0)
		at += n;
	sys(SYS_CLOSE, (long)fds[0]);
	/* Held pages have their content; a write of purged ones fails, which ends the data. */
	for (i = 0; i < (uint64_t)at / 4096; i++)
		wrong += got[i * 1024 + 7] != WORD + (uint32_t)i;
	expect("wrong words of a pipe", wrong, 0);
	must("wait4", sys(SYS_WAIT4, pid, NULL, 0l, NULL));
	done(&b);
}

/* A read of a raw disk, that of the root, by DMA into a buffer. */
static void
from_a_disk(void)
{
	struct buffer b = buffer();
	uint32_t *plain = memory(SIZE);
	long disk = must("open /dev/vtbd0", sys(SYS_OPEN, "/dev/vtbd0", O_RDONLY, 0l)), wrong = 0;
	uint64_t i;

	expect("a read of a disk", sys(SYS_READ, disk, b.words, SIZE), SIZE);
	sys(SYS_CLOSE, disk);
	disk = must("open /dev/vtbd0", sys(SYS_OPEN, "/dev/vtbd0", O_RDONLY, 0l));
	expect("a read of a disk", sys(SYS_READ, disk, plain, SIZE), SIZE);
	sys(SYS_CLOSE, disk);
	for (i = 0; i < SIZE / 4; i++)
		wrong += plain[i] != b.words[i];
	expect("wrong words of a disk", wrong, 0);
	expect_purged("memory that a disk filled is purged", &b);
}

/* madvise(2), msync(2), mincore(2) and mprotect(2) do not change the content. */
static void
advised(void)
{
	static const int advices[] = { MADV_WILLNEED, MADV_DONTNEED, MADV_FREE };
	static char resident[PAGES];
	struct buffer b = buffer();
	size_t i;

	for (i = 0; i < nitems(advices); i++)
		must("madvise", sys(SYS_MADVISE, b.words, SIZE, (long)advices[i]));
	must("msync", sys(SYS_MSYNC, b.words, SIZE, MS_INVALIDATE));
	must("mincore", sys(SYS_MINCORE, b.words, SIZE, resident));
	expect("wrong words of memory with advice", wrong_words(&b), 0);
	must("mprotect", sys(SYS_MPROTECT, b.words, SIZE, PROT_READ));
	must("mprotect", sys(SYS_MPROTECT, b.words, SIZE, PROT_READ | PROT_WRITE));
	expect("wrong words of memory that was protected", wrong_words(&b), 0);
	expect_purged("memory with advice is purged", &b);
}

/* A core dump does not contain mapped buffers, not even the pages that were touched. */
static void
dumped(void)
{
	const uint32_t size = 16 << 20;
	struct drm_prime_handle out;
	uint32_t handle = driver->create(node, size);
	long pid = must("fork", sys(SYS_FORK)), core;
	int status = -1;

	if (pid == 0) {
		out = (struct drm_prime_handle) { .handle = handle, .flags = O_RDWR };
		must("chdir", sys(SYS_CHDIR, "/tmp"));
		must("PRIME_HANDLE_TO_FD", drm(node, PRIME_HANDLE_TO_FD, &out));
		*(volatile char *)map(node, driver->offset(node, handle), size,
		    PROT_READ | PROT_WRITE) = 1;
		*(volatile char *)map(out.fd, 0, size, PROT_READ | PROT_WRITE) = 1;
		sys(SYS_KILL, sys(SYS_GETPID), SIGABRT);
	}
	must("wait4", sys(SYS_WAIT4, pid, &status, 0l, NULL));
	expect("status of a process that dumps core", status, SIGABRT | 0x80);
	core = must("open of a core", sys(SYS_OPEN, "/tmp/native_drm.core", O_RDONLY, 0l));
	expect("a core contains a buffer", sys(SYS_LSEEK, core, 0l, SEEK_END) >= size, 0);
	sys(SYS_CLOSE, core);
	must("unlink of a core", sys(SYS_UNLINK, "/tmp/native_drm.core"));
	must("GEM_CLOSE", drm(node, GEM_CLOSE, &(struct drm_gem_close) { handle, 0 }));
}

/* Buffers cannot be mapped for execution. */
static void
executed(void)
{
	struct buffer b = buffer();
	struct drm_prime_handle out = { .handle = b.handle, .flags = O_RDWR };
	volatile void *other;
	long error;

	must("PRIME_HANDLE_TO_FD", drm(node, PRIME_HANDLE_TO_FD, &out));
	other = map(out.fd, 0, SIZE, PROT_READ);
	error = sys(SYS_MMAP, NULL, SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, (long)node,
	    driver->offset(node, b.handle));
	expect("mmap of a node with PROT_EXEC", error, -EACCES);
	error = sys(SYS_MMAP, NULL, SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, (long)out.fd, 0l);
	expect("mmap of a dma-buf with PROT_EXEC", error, -EACCES);
	error = sys(SYS_MPROTECT, b.words, SIZE, PROT_READ | PROT_EXEC);
	expect("mprotect of a node's memory", error, -EACCES);
	error = sys(SYS_MPROTECT, other, SIZE, PROT_READ | PROT_EXEC);
	expect("mprotect of a dma-buf's memory", error, -EACCES);
	must("munmap", sys(SYS_MUNMAP, other, SIZE));
	sys(SYS_CLOSE, (long)out.fd);
	done(&b);
}

/* A buffer cannot be created from mapped registers, or from the memory of a buffer. */
static void
userptr(void)
{
	struct buffer b = buffer();
	volatile void *registers;
	long fd, error;

	if (driver->user != NULL) {
		fd = must("open /dev/mem", sys(SYS_OPEN, "/dev/mem", O_RDWR, 0l));
		registers = map((int)fd, 0x0cf00000, 4096, PROT_READ | PROT_WRITE);
		error = driver->user(node, registers, 4096);
		expect("a device's registers as a buffer", error, -EFAULT);
		must("munmap", sys(SYS_MUNMAP, registers, 4096l));
		sys(SYS_CLOSE, fd);
		expect("a buffer's memory as a buffer", driver->user(node, b.words, SIZE), -EFAULT);
		expect("memory as a buffer", driver->user(node, memory(SIZE), SIZE), 0);
	}
	done(&b);
}

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
static void
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
static void
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
