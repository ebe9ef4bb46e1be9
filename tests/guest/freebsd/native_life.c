/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Files, buffers and jobs of clients when the driver is unloaded, and files that the kernel closes
 * in a thread of its own.
 */

#include "drm.h"

#define JOB_BYTES	65536

void
hold(int fd, const struct native_driver *driver)
{
	uint64_t until = now_ns() + 20000000000;
	struct drm_cap cap = { CAP_PRIME, 0 };
	volatile uint32_t *words = map(fd, driver->offset(fd, driver->create(fd, 65536)), 65536,
	    PROT_READ | PROT_WRITE);
	long error;

	words[100] = 4711;
	expect("a mapped word", words[100], 4711);
	do {
		error = drm(fd, GET_CAP, &cap);
		sleep_ms(10);
	} while (error == 0 && now_ns() < until);
	/* ENOTTY: the kernel has revoked the file. */
	if (error != -ENOTTY)
		expect("a request when the driver is unloaded", error, -ENXIO);
	/* Mappings are revoked after the nodes are destroyed, when all devices are detached. */
	while (sys(SYS_KLDFIND, "drmkpi") >= 0 && now_ns() < until)
		sleep_ms(10);
	expect("status of a reader when the driver is unloaded", reader(words), SIGBUS);
	expect("open when the driver is unloaded", sys(SYS_OPEN, RENDER_NODE, O_RDWR, 0l), -ENOENT);
}

extern char __executable_start[], _end[];

/*
 * Gives the program private copies of its pages, so that it keeps running after its file system is
 * unmounted.
 */
static void
leave_file(void)
{
	uintptr_t at = (uintptr_t)__executable_start & ~4095ul;
	uintptr_t end = ((uintptr_t)_end + 4095) & ~4095ul;
	char resident;

	must("mprotect", sys(SYS_MPROTECT, at, end - at, PROT_READ | PROT_WRITE | PROT_EXEC));
	for (; at < end; at += 4096) {
		/* Skips the gaps between segments. */
		if (sys(SYS_MINCORE, at, 4096l, &resident) == 0)
			*(volatile char *)at = *(volatile char *)at;
	}
}

void
busy(int fd, const struct native_driver *driver)
{
	struct pollfd poll = { -1, POLLIN, 0 };

	leave_file();
	for (;;) {
		poll.fd = (int)must("a job", driver->launch(fd, JOB_BYTES));
		sys(SYS_POLL, &poll, 1l, -1l);
		sys(SYS_CLOSE, (long)poll.fd);
	}
}

#define CHURNERS	4

/*
 * Creates one of each: a file of the node, a buffer, its dma-buf, its fences, a job's fence, a
 * merge of both fences, and a kqueue with events of all; closes them in an order that depends on
 * `round`.
 */
static void
churn_once(const struct native_driver *driver, int round)
{
	struct kevent events[4], got;
	struct timespec none = { 0, 0 };
	struct drm_prime_handle out = { .flags = O_RDWR | O_CLOEXEC, .fd = -1 };
	struct dma_buf_sync_file fences = { DMA_BUF_READ, -1 };
	struct sync_merge_data merge = { .fd2 = -1, .fence = -1 };
	struct pollfd poll;
	long fd = sys(SYS_OPEN, RENDER_NODE, O_RDWR | O_CLOEXEC, 0l), job, queue;
	size_t i;

	if (fd < 0)
		return;
	job = driver->launch((int)fd, JOB_BYTES);
	if (job >= 0) {
		out.handle = driver->create((int)fd, 4096 * (1 + (uint32_t)round % 16));
		if (drm((int)fd, PRIME_HANDLE_TO_FD, &out) == 0 &&
		    drm(out.fd, DMA_BUF_EXPORT_SYNC_FILE, &fences) == 0) {
			merge.fd2 = fences.fd;
			drm((int)job, SYNC_IOC_MERGE, &merge);
		}
	}
	queue = sys(SYS_KQUEUE);
	memset(events, 0, sizeof(events));
	events[0].ident = (uintptr_t)fd;
	events[1].ident = (uintptr_t)job;
	events[2].ident = (uintptr_t)out.fd;
	events[3].ident = (uintptr_t)merge.fence;
	for (i = 0; i < nitems(events); i++) {
		events[i].filter = EVFILT_READ;
		events[i].flags = EV_ADD;
		if ((int)events[i].ident >= 0)
			sys(SYS_KEVENT, queue, &events[i], 1l, NULL, 0l, NULL);
	}
	poll = (struct pollfd) { (int)job, POLLIN, 0 };
	sys(SYS_POLL, &poll, 1l, (long)(round % 3) * 10);
	if (round % 2 == 0)
		sys(SYS_KEVENT, queue, NULL, 0l, &got, 1l, &none);
	if (round % 5 == 0)
		sys(SYS_CLOSE, queue);
	for (i = 0; i < nitems(events); i++)
		sys(SYS_CLOSE, (long)(int)events[i].ident);
	sys(SYS_CLOSE, (long)fences.fd);
	if (round % 5 != 0)
		sys(SYS_CLOSE, queue);
}

/*
 * Runs churn_once() in several children. Each ends when the module has been unloaded for half a
 * second, or by SIGBUS when it touches a mapping that is revoked.
 */
void
churn(int fd, const struct native_driver *driver)
{
	long pids[CHURNERS], round;
	uint64_t seen;
	size_t i;
	int status;

	sys(SYS_CLOSE, (long)fd);
	for (i = 0; i < nitems(pids); i++) {
		pids[i] = must("fork", sys(SYS_FORK));
		if (pids[i] != 0)
			continue;
		seen = now_ns();
		for (round = 0; now_ns() < seen + 500000000; round++) {
			if (sys(SYS_KLDFIND, "drmkpi") >= 0)
				seen = now_ns();
			churn_once(driver, (int)(round + (long)i));
		}
		leave(0);
	}
	for (i = 0; i < nitems(pids); i++) {
		status = -1;
		must("wait4", sys(SYS_WAIT4, pids[i], &status, 0l, NULL));
		/* A child may exit with the errno of a request, when the driver is unloaded. */
		if (status != SIGBUS && (status & 0x7f) != 0)
			expect("status of a child", status, 0);
	}
}

/* Sends descriptors over a socket. They stay in flight until its other end receives them. */
static void
send(long socket, const int *fds, size_t n)
{
	struct {
		uint32_t len;
		int level, type, pad;
		int fds[16];
	} control = { 16 + (uint32_t)(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS, 0, { 0 } };
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { NULL, 0, &data, 1, &control,
	    (16 + (uint32_t)(n * sizeof(int)) + 7) & ~7u, 0 };

	memcpy(control.fds, fds, n * sizeof(int));
	must("sendmsg", sys(SYS_SENDMSG, socket, &message, 0l));
}

#define BIG	(16u << 20)
#define BIGS	3

/* Returns a dma-buf that holds the last reference to a large buffer, which takes long to free. */
static int
big(int fd, const struct native_driver *driver)
{
	struct drm_prime_handle out = { .handle = driver->create(fd, BIG), .flags = O_RDWR };
	struct drm_gem_close close = { out.handle, 0 };
	volatile char *bytes = map(fd, driver->offset(fd, out.handle), BIG, PROT_READ | PROT_WRITE);
	uint32_t at;

	for (at = 0; at < BIG; at += 4096)
		bytes[at] = 1;
	must("PRIME_HANDLE_TO_FD", drm(fd, PRIME_HANDLE_TO_FD, &out));
	sys(SYS_MUNMAP, bytes, (long)BIG);
	must("GEM_CLOSE", drm(fd, GEM_CLOSE, &close));
	return (out.fd);
}

/* Waits until a sysctl differs from `wanted`, or, with `below`, is at most `wanted`. */
static void
wait_for(const char *what, const char *sysctl, long wanted, bool below)
{
	uint64_t until = now_ns() + 10000000000;
	long now;

	do {
		now = sysctl_int(sysctl);
		if (below ? now <= wanted : now != wanted)
			return;
		sleep_ms(1);
	} while (now_ns() < until);
	expect(what, now, wanted);
}

/*
 * A task of taskqueue_thread collects sockets to which only descriptors in flight refer, and closes
 * the files in flight. One of these is a sync_file whose fence is signalled meanwhile: its job
 * waits until the device is resumed. Returns whether the collector was still closing files when the
 * fence was signalled.
 */
static bool
collected(int fd, const struct native_driver *driver, const char *device)
{
	int fds[BIGS + 3], pair[2];
	long before, queue = must("kqueue", sys(SYS_KQUEUE)), runs, n = 0, still;
	struct kevent event = { .filter = EVFILT_READ, .flags = EV_ADD };
	struct pollfd poll = { -1, POLLIN, 0 };
	size_t i;

	before = sysctl_int("kern.openfiles");
	must("socketpair", sys(SYS_SOCKETPAIR, (long)PF_UNIX, (long)SOCK_STREAM, 0l, pair));
	for (i = 0; i < BIGS; i++)
		fds[n++] = big(fd, driver);
	expect("suspend", devctl(DEV_SUSPEND, device), 0);
	poll.fd = fds[n++] = (int)must("a job", driver->launch(fd, JOB_BYTES));
	event.ident = (uintptr_t)poll.fd;
	must("kevent", sys(SYS_KEVENT, queue, &event, 1l, NULL, 0l, NULL));
	expect("poll of a job that waits", sys(SYS_POLL, &poll, 1l, 50l), 0);
	/* A client with a job that waits, too. */
	fds[n] = (int)must("open", sys(SYS_OPEN, RENDER_NODE, O_RDWR | O_CLOEXEC, 0l));
	sys(SYS_CLOSE, must("a job", driver->launch(fds[n], JOB_BYTES)));
	n++;
	fds[n++] = pair[1];
	send(pair[0], fds, (size_t)n);
	for (i = 0; i < (size_t)n; i++) {
		if (fds[i] != poll.fd)
			sys(SYS_CLOSE, (long)fds[i]);
	}
	runs = sysctl_int("net.local.taskcount");
	sys(SYS_CLOSE, (long)pair[0]);
	wait_for("the collector has not run", "net.local.taskcount", runs, false);
	expect("resume", devctl(DEV_RESUME, device), 0);
	expect("poll of a job after resume", sys(SYS_POLL, &poll, 1l, 10000l), 1);
	sys(SYS_CLOSE, (long)poll.fd);
	still = sysctl_int("kern.openfiles");
	sys(SYS_CLOSE, queue);
	wait_for("open files after the collector", "kern.openfiles", before - 1, true);
	return (still > before + 1);
}

void
inflight(int fd, const struct native_driver *driver)
{
	char device[32] = { 0 };
	int hits = 0, i;

	memcpy(device, driver->name, strlen(driver->name));
	device[strlen(driver->name)] = '0';
	for (i = 0; i < 8 && hits < 2 && failures == 0; i++)
		hits += collected(fd, driver, device);
	say("files closed while the collector ran: %d of %d\n", (long)hits, (long)i);
	/* With one processor, the collector completes before this program runs again. */
	if (failures == 0 && sysctl_int("hw.ncpu") > 1)
		expect("closed while the collector ran", hits > 0, 1);
}
