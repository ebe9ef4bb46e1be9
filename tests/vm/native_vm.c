/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Buffers in the hands of FreeBSD's VM system: everything by which a process can have their pages
 * wired, held, copied or written out, while the driver takes them away. Without requests to give a
 * buffer up (etnaviv) only the other half of that is left.
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

static void
done(struct buffer *b)
{
	struct drm_gem_close close = { b->handle, 0 };

	must("munmap", sys(SYS_MUNMAP, b->words, SIZE));
	must("GEM_CLOSE", drm(node, GEM_CLOSE, &close));
}

/* The kernel runs short of memory, it says; drivers hear of it in a thread of their own. */
static void
lowmem(void)
{
	static const char name[] = "debug.vm_lowmem";
	int value = 1;

	must(name, sys(SYS_SYSCTLBYNAME, name, strlen(name), NULL, NULL, &value, sizeof(value)));
	sleep_ms(150);
}

/* Whether the driver took a buffer's memory when its owner did not need it. */
static int
taken(struct buffer *b)
{
	if (driver->need == NULL)
		return (0);
	driver->need(node, b->handle, 0);
	lowmem();
	return (driver->need(node, b->handle, 1) == 0);
}

static void
free_to_go(const char *what, struct buffer *b)
{
	if (driver->need != NULL) {
		expect(what, taken(b), 1);
		expect("how a reader of what is gone ends", reader(b->words), SIGBUS);
	}
	done(b);
}

static void
child_ends(const char *what, long pid, long wanted)
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
	expect("locked memory is taken", taken(&b), 0);
	expect("wrong words of locked memory", wrong_words(&b), 0);
	must("munlock", sys(SYS_MUNLOCK, b.words, SIZE));
	/* One page is enough. */
	must("mlock of a page", sys(SYS_MLOCK, word_of(&b, 9), 8l));
	expect("a locked page is taken", taken(&b), 0);
	expect("wrong words of a locked page", wrong_words(&b), 0);
	must("munlock of a page", sys(SYS_MUNLOCK, word_of(&b, 9), 8l));
	free_to_go("unlocked memory is taken", &b);
	/* What goes with its mapping needs no munlock. */
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
	expect("memory locked by mlockall is taken", taken(&b), 0);
	expect("wrong words of memory locked by mlockall", wrong_words(&b), 0);
	must("munlockall", sys(SYS_MUNLOCKALL));
	free_to_go("memory unlocked by munlockall is taken", &b);
}

/* Of another process that goes with its lock on. */
static void
locked_by_child(void)
{
	struct buffer b = buffer();
	long pid = must("fork", sys(SYS_FORK));

	if (pid == 0) {
		leave(sys(SYS_MLOCK, b.words, SIZE) != 0 || taken(&b) || wrong_words(&b) != 0);
	}
	child_ends("a child that ends with memory locked", pid, 0);
	free_to_go("memory of a child that has ended is taken", &b);
}

/* Locks come and go while memory is taken: it goes at some moment, or not. */
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
		taken(&b);
		must("kill", sys(SYS_KILL, pid, SIGKILL));
		child_ends("a child that locks", pid, SIGKILL);
		done(&b);
	}
}

/*
 * What may only be read is locked where it is, in the buffer; to lock what may be written copies it
 * first.
 */
static void
lock_a_copy(struct buffer *b)
{
	must("mprotect of a copy", sys(SYS_MPROTECT, b->words, SIZE, PROT_READ));
	must("mlock of a copy", sys(SYS_MLOCK, b->words, SIZE));
	expect("memory with a locked copy is taken", taken(b), 0);
	must("munlock of a copy", sys(SYS_MUNLOCK, b->words, SIZE));
	must("mprotect of a copy", sys(SYS_MPROTECT, b->words, SIZE, PROT_READ | PROT_WRITE));
}

/*
 * minherit(2) makes what is shared copied: parent and child each write to a copy, and the buffer
 * stays as it was.
 */
static void
copied(void)
{
	struct buffer b = { driver->create(node, SIZE), NULL };
	volatile uint32_t *other = map(node, driver->offset(node, b.handle), SIZE, PROT_READ | PROT_WRITE);
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
		expect("a word of the child's", *word_of(&b, 2), 2);
		must("mlock of a copy", sys(SYS_MLOCK, b.words, SIZE));
		must("munlock of a copy", sys(SYS_MUNLOCK, b.words, SIZE));
		leave(failures != 0);
	}
	/* Others' mappings of the buffer find its pages as ever. */
	expect("a page of a buffer that has a copy", other[5 * 1024], 0);
	other[5 * 1024] = 5;
	child_ends("a child with a copy", pid, 0);
	expect("the buffer's word", other[7], WORD);
	*word_of(&b, 3) = 3;
	expect("a word of the parent's copy in the buffer", other[3 * 1024 + 7], 0);
	lock_a_copy(&b);
	must("munmap", sys(SYS_MUNMAP, other, SIZE));
	if (driver->need != NULL) {
		expect("memory with a copy is taken", taken(&b), 1);
		expect("a word of a copy", *word_of(&b, 3), 3);
		expect("how a reader of what was never copied ends", reader(word_of(&b, 9)), SIGBUS);
	}
	done(&b);
}

/* A debugger reads and writes by the kernel's own mapping. */
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
	if (taken(&b)) {
		io.op = PIOD_READ;
		io.len = sizeof(word);
		expect("PT_IO of memory that is gone", sys(SYS_PTRACE, PT_IO, pid, &io, 0l) < 0, 1);
	}
	sys(SYS_PTRACE, PT_DETACH, pid, 1l, 0l);
	must("kill", sys(SYS_KILL, pid, SIGKILL));
	child_ends("a traced child", pid, SIGKILL);
	done(&b);
}

/* sysctl(3) wires the buffer that it fills; vm.objects names this one, too. */
static void
filled_by_sysctl(void)
{
	static const char name[] = "kern.malloc_stats";
	struct buffer b = buffer();
	size_t len = SIZE;

	/* Longer than the buffer, on some machines. */
	sys(SYS_SYSCTLBYNAME, name, strlen(name), b.words, &len, NULL, 0l);
	free_to_go("memory that sysctl filled is taken", &b);
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
	taken(&b);
	while ((n = sys(SYS_READ, (long)fds[0], (char *)got + at, SIZE - (size_t)at)) > 0)
		at += n;
	sys(SYS_CLOSE, (long)fds[0]);
	/* What was held is whole; the rest may be gone. */
	for (i = 0; i < (uint64_t)at / 4096; i++)
		wrong += got[i * 1024 + 7] != WORD + (uint32_t)i;
	expect("wrong words of a pipe", wrong, 0);
	must("wait4", sys(SYS_WAIT4, pid, NULL, 0l, NULL));
	done(&b);
}

/* A disk writes into memory; this one is the root. */
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
	free_to_go("memory that a disk filled is taken", &b);
}

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
	free_to_go("memory with advice is taken", &b);
}

/* A core dump has the process's memory, but no buffer, touched or not. */
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
		*(volatile char *)map(node, driver->offset(node, handle), size, PROT_READ | PROT_WRITE) = 1;
		*(volatile char *)map(out.fd, 0, size, PROT_READ | PROT_WRITE) = 1;
		sys(SYS_KILL, sys(SYS_GETPID), SIGABRT);
	}
	must("wait4", sys(SYS_WAIT4, pid, &status, 0l, NULL));
	expect("how a process that dumps its core ends", status, SIGABRT | 0x80);
	core = must("open of a core", sys(SYS_OPEN, "/tmp/native_drm.core", O_RDONLY, 0l));
	expect("a core holds buffers", sys(SYS_LSEEK, core, 0l, SEEK_END) >= size, 0);
	sys(SYS_CLOSE, core);
	must("unlink of a core", sys(SYS_UNLINK, "/tmp/native_drm.core"));
	must("GEM_CLOSE", drm(node, GEM_CLOSE, &(struct drm_gem_close) { handle, 0 }));
}

/* Buffers hold no code. */
static void
executed(void)
{
	struct buffer b = buffer();
	struct drm_prime_handle out = { .handle = b.handle, .flags = O_RDWR };
	volatile void *other;

	must("PRIME_HANDLE_TO_FD", drm(node, PRIME_HANDLE_TO_FD, &out));
	other = map(out.fd, 0, SIZE, PROT_READ);
	expect("a mapping of a node to execute",
	    sys(SYS_MMAP, NULL, SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, (long)node, driver->offset(node, b.handle)), -EACCES);
	expect("a mapping of a dma-buf to execute", sys(SYS_MMAP, NULL, SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, (long)out.fd, 0l), -EACCES);
	expect("mprotect of a node's memory", sys(SYS_MPROTECT, b.words, SIZE, PROT_READ | PROT_EXEC), -EACCES);
	expect("mprotect of a dma-buf's memory", sys(SYS_MPROTECT, other, SIZE, PROT_READ | PROT_EXEC), -EACCES);
	must("munmap", sys(SYS_MUNMAP, other, SIZE));
	sys(SYS_CLOSE, (long)out.fd);
	done(&b);
}

/* A driver that is given a process's memory takes ordinary memory only. */
static void
given(void)
{
	struct buffer b = buffer();
	volatile void *registers;
	long fd;

	if (driver->user != NULL) {
		fd = must("open /dev/mem", sys(SYS_OPEN, "/dev/mem", O_RDWR, 0l));
		registers = map((int)fd, 0x0cf00000, 4096, PROT_READ | PROT_WRITE);
		expect("a device's registers as a buffer", driver->user(node, registers, 4096), -EFAULT);
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

/* A client of its own that touches all of a buffer. */
[[noreturn]] static void
touch_all(void)
{
	struct buffer b;

	node = (int)must("open", sys(SYS_OPEN, RENDER_NODE, O_RDWR, 0l));
	b = buffer();
	expect("wrong words", wrong_words(&b), 0);
	leave(failures != 0);
}

/* The pages of buffers count as those that mlock(2) has wired. */
static void
wired(void)
{
	uint64_t before = long_of(wire_count), max = long_of(max_wired);
	struct buffer b = buffer();
	long pid;
	int status = -1;

	expect("wired pages of a buffer", (long)(long_of(wire_count) - before), PAGES);
	done(&b);
	expect("wired pages of no buffer", (long)(long_of(wire_count) - before), 0);
	if (driver->need != NULL) {
		b = buffer();
		expect("memory that is not needed is taken", taken(&b), 1);
		expect("wired pages of what was taken", (long)(long_of(wire_count) - before), 0);
		done(&b);
	}
	if (driver->user != NULL) {
		expect("memory as a buffer", driver->user(node, memory(SIZE), SIZE), 0);
		expect("wired pages of no buffer", (long)(long_of(wire_count) - before), 0);
		set_long(max_wired, before + PAGES - 1);
		expect("memory as a buffer past the limit", driver->user(node, memory(SIZE), SIZE), -ENOMEM);
	}
	set_long(max_wired, before + PAGES / 2);
	pid = must("fork", sys(SYS_FORK));
	if (pid == 0)
		touch_all();
	must("wait4", sys(SYS_WAIT4, pid, &status, 0l, NULL));
	/*
	 * It ends where its buffer is made, or, if pages come later, by the signal for memory that
	 * is not there.
	 */
	expect("how one ends that wires too much", status == SIGBUS || status == ENOMEM << 8, 1);
	set_long(max_wired, before + PAGES);
	b = buffer();
	expect("wrong words at the limit", wrong_words(&b), 0);
	expect("mlock at the limit", sys(SYS_MLOCK, memory(4096), 4096l), -ENOMEM);
	done(&b);
	set_long(max_wired, max);
	expect("wired pages of no buffer", (long)(long_of(wire_count) - before), 0);
}

/* rctl(8)'s requests: an errno, or 0. */
static long
rctl(long request, const char *rule, char *out, size_t len)
{
	return (-sys(request, rule, strlen(rule) + 1, out, len));
}

/* What racct(4) has as this user's swapuse, in bytes. */
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
/* What an open file costs the kernel. */
#define FILE_BYTES	(32l << 10)

/* The kernel's own memory is its user's, with racct(4): what it knows of, and what it refuses. */
static void
accounted(void)
{
	long fds[FILES], before = (long)swap_use(), limit, n;

	for (n = 0; n < FILES; n++)
		fds[n] = must("open", sys(SYS_OPEN, RENDER_NODE, O_RDWR, 0l));
	expect("open files are in swapuse", (long)swap_use() - before >= FILES * FILE_BYTES, 1);
	for (n = 0; n < FILES; n++)
		sys(SYS_CLOSE, fds[n]);
	expect("closed files are in swapuse", (long)swap_use() - before >= FILE_BYTES, 0);
	limit = before + FILES / 2 * FILE_BYTES;
	deny(SYS_RCTL_ADD_RULE, (uint64_t)limit);
	for (n = 0; n < FILES; n++) {
		fds[n] = sys(SYS_OPEN, RENDER_NODE, O_RDWR, 0l);
		if (fds[n] < 0)
			break;
	}
	expect("some files are open at the limit", n > 0 && n <= FILES / 2, 1);
	expect("opening past a limit of rctl(8)", n < FILES ? fds[n] : 0, -ENOMEM);
	expect("past the limit", (long)swap_use() > limit, 0);
	while (n-- > 0)
		sys(SYS_CLOSE, fds[n]);
	deny(SYS_RCTL_REMOVE_RULE, (uint64_t)limit);
	expect("closed files are in swapuse", (long)swap_use() - before >= FILE_BYTES, 0);
}

void
vm_interfaces(int fd, const struct native_driver *of)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
		{ "mlock", locked }, { "mlockall", locked_in_future }, { "child", locked_by_child }, { "copy", copied }, { "ptrace", traced },
		{ "sysctl", filled_by_sysctl }, { "pipe", in_a_pipe }, { "disk", from_a_disk }, { "advice", advised }, { "core", dumped },
		{ "execute", executed }, { "userptr", given }, { "wired", wired }, { "racct", accounted },
		{ "locking", locking },
	};
	size_t i;

	node = fd;
	driver = of;
	for (i = 0; i < nitems(tests); i++) {
		say("vm: %s\n", tests[i].name);
		tests[i].run();
	}
}

/* The driver is made to go; what is locked stays, and is the process's own until it is unlocked. */
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
	expect("wrong words of locked memory when the driver is gone", wrong_words(&b), 0);
	*word_of(&b, 3) = 3;
	expect("how a reader of what was not locked ends", reader(word_of(&half, 2)), SIGBUS);
	must("munlock", sys(SYS_MUNLOCK, b.words, SIZE));
	must("munmap", sys(SYS_MUNMAP, b.words, SIZE));
	/* The other one goes with its lock on. */
}
