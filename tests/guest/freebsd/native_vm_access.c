/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Other accesses to pages of buffers: a debugger's, the kernel's for sysctl(3), pipes and a disk,
 * advice, core dumps; and those that are refused.
 */

#include "native_vm.h"

/* sys/mman.h, sys/ptrace.h, sys/fcntl.h */
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

/* For ptrace(2) the kernel reads and writes pages through a mapping of its own. */
void
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
void
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
void
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
void
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
void
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
void
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
void
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
void
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
