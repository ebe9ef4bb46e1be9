/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How long a small client waits for its jobs while another process, the neighbour, loads the
 * driver; and, as a control, while another process uses as much processor time without the device.
 * The figures are only printed; tests/bench/src/bin/latency.rs checks them against a bound.
 */

#include "drm.h"

/* sys/resource.h: begins with user and system time. */
struct rusage {
	int64_t user_s, user_us, system_s, system_us;
	int64_t rest[14];
};

#define LARGE	(1u << 30)
#define DROPPED	(1u << 20)
#define DEPTH	16
#define JOBS	32
#define SYNCOBJS	65536u
#define MOST_ROUNDS	15
/* The control process runs for a share of each period. */
#define PERIOD_NS	2000000ul

/* A neighbour calls once() in a loop. */
struct neighbour {
	const char *name;
	void (*once)(int fd, const struct native_driver *driver);
};

/* Creates and closes the largest buffer for which there is memory. */
static void
large(int fd, const struct native_driver *driver)
{
	static uint32_t size = LARGE;
	struct drm_gem_close close = { 0, 0 };
	long handle;

	while ((handle = driver->try_create(fd, size)) == -ENOMEM && size > DROPPED)
		size /= 2;
	close.handle = (uint32_t)must("a large buffer", handle);
	must("GEM_CLOSE", drm(fd, GEM_CLOSE, &close));
}

/* Waits for the last of some sync_files and closes all. */
static void
close_all(int *fds, size_t count)
{
	struct pollfd last = { fds[count - 1], POLLIN, 0 };
	size_t i;

	sys(SYS_POLL, &last, 1l, 20000l);
	for (i = 0; i < count; i++)
		sys(SYS_CLOSE, (long)fds[i]);
}

/* Submits jobs whose buffers are closed at once, so that the jobs hold the last references. */
static void
drop(int fd, const struct native_driver *driver)
{
	int fds[DEPTH];
	size_t i;

	for (i = 0; i < DEPTH; i++)
		fds[i] = (int)must("a job", driver->launch(fd, DROPPED));
	close_all(fds, DEPTH);
}

/* Merges fences of jobs in flight and imports each merged fence into a buffer. */
static void
flood(int fd, const struct native_driver *driver)
{
	static struct drm_prime_handle target = { .flags = O_RDWR | O_CLOEXEC, .fd = -1 };
	struct dma_buf_sync_file fence = { DMA_BUF_READ | DMA_BUF_WRITE, -1 };
	struct sync_merge_data merge;
	int fds[JOBS];
	size_t i;

	if (target.fd < 0) {
		target.handle = driver->create(fd, 4096);
		must("PRIME_HANDLE_TO_FD", drm(fd, PRIME_HANDLE_TO_FD, &target));
	}
	for (i = 0; i < JOBS; i++)
		fds[i] = (int)must("a job", driver->launch(fd, 4096));
	for (i = 1; i < JOBS; i++) {
		memset(&merge, 0, sizeof(merge));
		merge.fd2 = fds[i];
		if (drm(fds[i - 1], SYNC_IOC_MERGE, &merge) < 0)
			continue;
		fence.fd = merge.fence;
		/* May fail: the number of fences of a buffer is bounded. */
		drm(target.fd, DMA_BUF_IMPORT_SYNC_FILE, &fence);
		sys(SYS_CLOSE, (long)merge.fence);
	}
	close_all(fds, JOBS);
}

/* Signals and resets one syncobj after another, to wake a thread that waits for all of them. */
[[noreturn]] static void
touch(int fd, const uint32_t *handles)
{
	struct timespec pause = { 0, 200000 };
	struct drm_syncobj_array one = { 0, 1, 0 };
	uint32_t n = 0;

	while (sys(SYS_GETPPID) != 1) {
		n = (n + 4099) % SYNCOBJS;
		one.handles = (uintptr_t)&handles[n];
		drm(fd, SYNCOBJ_SIGNAL, &one);
		drm(fd, SYNCOBJ_RESET, &one);
		sys(SYS_NANOSLEEP, &pause, NULL);
	}
	leave(0);
}

static void
wait_for_all(int fd, const struct native_driver *driver)
{
	static uint32_t *handles;
	struct drm_syncobj_wait wait = { .count = SYNCOBJS,
	    .flags = SYNCOBJ_WAIT_ALL | SYNCOBJ_WAIT_FOR_SUBMIT };
	struct drm_syncobj sync;
	uint32_t i;

	(void)driver;
	if (handles == NULL) {
		handles = memory(SYNCOBJS * sizeof(*handles));
		for (i = 0; i < SYNCOBJS; i++) {
			sync = (struct drm_syncobj) { 0, 0 };
			must("SYNCOBJ_CREATE", drm(fd, SYNCOBJ_CREATE, &sync));
			handles[i] = sync.handle;
		}
		if (must("fork", sys(SYS_FORK)) == 0)
			touch(fd, handles);
	}
	wait.handles = (uintptr_t)handles;
	wait.timeout_ns = (int64_t)now_ns() + 50000000;
	/* Ends with ETIMEDOUT. */
	drm(fd, SYNCOBJ_WAIT, &wait);
}

static const struct neighbour neighbours[] = {
	{ "creates and closes large buffers", large },
	{ "drops buffers that its jobs use", drop },
	{ "floods a buffer with fences", flood },
	{ "waits for 65,536 syncobjs", wait_for_all },
};

/* Uses a processor for `share` thousandths of the time. */
[[noreturn]] static void
burn(uint64_t share)
{
	struct timespec pause = { 0, 0 };
	uint64_t begin;

	for (;;) {
		begin = now_ns();
		while (now_ns() - begin < PERIOD_NS * share / 1000)
			;
		pause.nsec = (int64_t)(PERIOD_NS - PERIOD_NS * share / 1000);
		sys(SYS_NANOSLEEP, &pause, NULL);
	}
}

/*
 * Starts a process that is the neighbour, or, if NULL, the control with this share of a processor.
 * Returns its process id, after the neighbour has called once() for the first time.
 */
static long
beside(const struct neighbour *neighbour, const struct native_driver *driver, uint64_t share)
{
	int ready[2];
	char byte = 0;
	long pid, fd;

	must("pipe2", sys(SYS_PIPE2, ready, 0l));
	pid = must("fork", sys(SYS_FORK));
	if (pid == 0) {
		fd = must("open " RENDER_NODE, sys(SYS_OPEN, RENDER_NODE, O_RDWR | O_CLOEXEC, 0l));
		if (neighbour != NULL)
			neighbour->once((int)fd, driver);
		sys(SYS_WRITE, (long)ready[1], &byte, 1l);
		if (neighbour == NULL)
			burn(share);
		for (;;)
			neighbour->once((int)fd, driver);
	}
	sys(SYS_CLOSE, (long)ready[1]);
	expect("the neighbour has started", sys(SYS_READ, (long)ready[0], &byte, 1l), 1);
	sys(SYS_CLOSE, (long)ready[0]);
	return (pid);
}

/* Kills a process. Returns the processor time that it used, in nanoseconds. */
static uint64_t
end(long pid)
{
	struct rusage usage;
	int status = 0;

	memset(&usage, 0, sizeof(usage));
	sys(SYS_KILL, pid, SIGKILL);
	must("wait4", sys(SYS_WAIT4, pid, &status, 0l, &usage));
	return ((uint64_t)(usage.user_s + usage.system_s) * 1000000000 +
	    (uint64_t)(usage.user_us + usage.system_us) * 1000);
}

static void
sort(uint64_t *of, size_t count)
{
	uint64_t value;
	size_t gap, i, at;

	for (gap = count / 2; gap != 0; gap /= 2) {
		for (i = gap; i < count; i++) {
			value = of[i];
			for (at = i; at >= gap && of[at - gap] > value; at -= gap)
				of[at] = of[at - gap];
			of[at] = value;
		}
	}
}

/* Returns the 99th percentile of the times from submit to completion, in microseconds. */
static uint64_t
small(int fd, const struct native_driver *driver, uint64_t *times, size_t submits)
{
	uint64_t begin;
	size_t i;

	for (i = 0; i < submits; i++) {
		begin = now_ns();
		driver->small(fd);
		times[i] = (now_ns() - begin) / 1000;
	}
	sort(times, submits);
	return (times[submits * 99 / 100]);
}

void
latency(int fd, const struct native_driver *driver, uint64_t submits, uint64_t rounds)
{
	uint64_t with[MOST_ROUNDS], without[MOST_ROUNDS], share, begin, took, ratio;
	uint64_t *times = memory(submits * sizeof(*times));
	size_t n, round;
	long pid;

	if (submits == 0 || rounds == 0 || rounds > MOST_ROUNDS)
		must("submits and rounds", -EINVAL);
	say("latency: alone %u us\n", small(fd, driver, times, submits));
	for (n = 0; n < nitems(neighbours); n++) {
		if (neighbours[n].once == wait_for_all && !driver->syncobjs)
			continue;
		share = 0;
		for (round = 0; round < rounds; round++) {
			pid = beside(&neighbours[n], driver, 0);
			begin = now_ns();
			with[round] = small(fd, driver, times, submits);
			took = now_ns() - begin;
			/* May exceed 1000: includes the time before the measurement. */
			share = end(pid) * 1000 / took;
			if (share > 1000)
				share = 1000;
			pid = beside(NULL, driver, share);
			without[round] = small(fd, driver, times, submits);
			end(pid);
		}
		sort(with, rounds);
		sort(without, rounds);
		ratio = with[rounds / 2] * 100 / (without[rounds / 2] + (without[rounds / 2] == 0));
		say("latency: %s: %u us, control %u us, ratio %u.%u%u, "
		    "%u thousandths of a processor\n", neighbours[n].name, with[rounds / 2],
		    without[rounds / 2], ratio / 100, ratio / 10 % 10, ratio % 10, share);
	}
}
