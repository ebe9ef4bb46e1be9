/* SPDX-License-Identifier: BSD-2-Clause */

/* The requests of etnaviv(4), and a command stream that fills a rectangle. */

#include "drm.h"

struct etnaviv_timespec {
	int64_t sec, nsec;
};

struct etnaviv_param {
	uint32_t pipe, param;
	uint64_t value;
};
#define GET_PARAM	IOWR('d', 0x40, struct etnaviv_param)
#define GPU_MODEL	1

struct etnaviv_gem_new {
	uint64_t size;
	uint32_t flags, handle;
};
#define GEM_NEW	IOWR('d', 0x42, struct etnaviv_gem_new)
#define BO_WC	0x20000

struct etnaviv_gem_info {
	uint32_t handle, pad;
	uint64_t offset;
};
#define GEM_INFO	IOWR('d', 0x43, struct etnaviv_gem_info)

struct etnaviv_cpu_prep {
	uint32_t handle, op;
	struct etnaviv_timespec timeout;
};
#define CPU_PREP	IOW('d', 0x44, struct etnaviv_cpu_prep)
#define PREP_READ	1
#define PREP_WRITE	2

struct etnaviv_cpu_fini {
	uint32_t handle, flags;
};
#define CPU_FINI	IOW('d', 0x45, struct etnaviv_cpu_fini)

struct etnaviv_reloc {
	uint32_t submit_offset, index;
	uint64_t offset;
	uint32_t flags, pad;
};

struct etnaviv_bo {
	uint32_t flags, handle;
	uint64_t presumed;
};
#define BO_WRITE	2

struct etnaviv_submit {
	uint32_t fence, pipe, exec_state, nr_bos, nr_relocs, stream_size;
	uint64_t bos, relocs, stream;
	uint32_t flags;
	int32_t fence_fd;
	uint64_t pmrs;
	uint32_t nr_pmrs, pad;
};
#define GEM_SUBMIT	IOWR('d', 0x46, struct etnaviv_submit)
#define FENCE_FD_OUT	4

struct etnaviv_wait_fence {
	uint32_t pipe, fence, flags, pad;
	struct etnaviv_timespec timeout;
};
#define WAIT_FENCE	IOW('d', 0x47, struct etnaviv_wait_fence)

struct etnaviv_gem_wait {
	uint32_t pipe, handle, flags, pad;
	struct etnaviv_timespec timeout;
};
#define GEM_WAIT	IOW('d', 0x49, struct etnaviv_gem_wait)

struct etnaviv_userptr {
	uint64_t at, size;
	uint32_t flags, handle;
};
#define GEM_USERPTR	IOWR('d', 0x48, struct etnaviv_userptr)
#define USERPTR_READ	1
#define USERPTR_WRITE	2

/*
 * HW: Mesa's etnaviv hw/cmdstream.xml.h LOAD_STATE, hw/state_blt.xml.h: a fill of 64 by 16 pixels
 * of A8R8G8B8, linear.
 */
#define LOAD_STATE(at)	(1u << 27 | 1u << 16 | (at) / 4)
#define WIDTH	64
#define HEIGHT	16
#define COLOUR	0x600dc01f
/* The index of the state that holds the destination address. */
#define ADDRESS	4
static const uint32_t states[][2] = {
	{ 0x140b8, 1 }, { 0x14064, 0x180 }, { 0x14024, 6 << 21 | WIDTH * 4 },
	{ 0x14028, 0x0041c800 }, { 0x14018, 0 }, { 0x1402c, 0 },
	{ 0x14030, HEIGHT << 16 | WIDTH }, { 0x14044, COLOUR }, { 0x14048, COLOUR },
	{ 0x1404c, ~0u }, { 0x14050, ~0u },
	{ 0x140ac, 3 }, { 0x14060, 1 }, { 0x140ac, 3 }, { 0x140b8, 0 },
};

static long
try_create(int fd, uint32_t size)
{
	struct etnaviv_gem_new bo = { size, BO_WC, 0 };
	long error = drm(fd, GEM_NEW, &bo);

	return (error < 0 ? error : bo.handle);
}

static uint32_t
create(int fd, uint32_t size)
{
	return ((uint32_t)must("GEM_NEW", try_create(fd, size)));
}

static uint64_t
offset(int fd, uint32_t handle)
{
	struct etnaviv_gem_info info = { handle, 0, 0 };

	must("GEM_INFO", drm(fd, GEM_INFO, &info));
	return (info.offset);
}

static long
user(int fd, const volatile void *at, uint64_t size)
{
	struct etnaviv_userptr bo = { (uintptr_t)at, size, USERPTR_READ | USERPTR_WRITE, 0 };
	long error = drm(fd, GEM_USERPTR, &bo);
	struct drm_gem_close close = { bo.handle, 0 };

	if (error == 0)
		must("GEM_CLOSE", drm(fd, GEM_CLOSE, &close));
	return (error);
}

static void
fill_stream(uint32_t *stream)
{
	size_t i;

	for (i = 0; i < nitems(states); i++) {
		stream[2 * i] = LOAD_STATE(states[i][0]);
		stream[2 * i + 1] = states[i][1];
	}
}

static long
launch(int fd, uint32_t size)
{
	uint32_t stream[2 * nitems(states)];
	struct etnaviv_gem_new new = { size, BO_WC, 0 };
	struct etnaviv_reloc reloc = { ADDRESS * 8 + 4, 0, 0, 0, 0 };
	struct etnaviv_bo bo = { BO_WRITE, 0, 0 };
	struct etnaviv_submit submit = { .nr_bos = 1, .nr_relocs = 1,
	    .stream_size = sizeof(stream), .bos = (uintptr_t)&bo, .relocs = (uintptr_t)&reloc,
	    .stream = (uintptr_t)stream, .flags = FENCE_FD_OUT, .fence_fd = -1 };
	struct drm_gem_close close = { 0, 0 };
	long error;

	if ((error = drm(fd, GEM_NEW, &new)) < 0)
		return (error);
	bo.handle = close.handle = new.handle;
	fill_stream(stream);
	error = drm(fd, GEM_SUBMIT, &submit);
	drm(fd, GEM_CLOSE, &close);
	return (error < 0 ? error : submit.fence_fd);
}

static void
fill(int fd, uint32_t handle, const volatile uint32_t *pixels)
{
	uint32_t stream[2 * nitems(states)];
	struct etnaviv_reloc reloc = { ADDRESS * 8 + 4, 0, 0, 0, 0 };
	struct etnaviv_bo bo = { BO_WRITE, handle, 0 };
	struct etnaviv_submit submit = { .nr_bos = 1, .nr_relocs = 1,
	    .stream_size = sizeof(stream), .bos = (uintptr_t)&bo, .relocs = (uintptr_t)&reloc,
	    .stream = (uintptr_t)stream, .flags = FENCE_FD_OUT, .fence_fd = -1 };
	struct etnaviv_cpu_prep prep = { handle, PREP_READ,
	    { (int64_t)(now_ns() / 1000000000) + 10, 0 } };
	struct etnaviv_cpu_fini fini = { handle, 0 };
	long wrong = 0;
	size_t i;

	fill_stream(stream);
	must("GEM_SUBMIT", drm(fd, GEM_SUBMIT, &submit));
	wait_sync_file(submit.fence_fd);
	must("GEM_CPU_PREP", drm(fd, CPU_PREP, &prep));
	for (i = 0; i < WIDTH * HEIGHT; i++)
		wrong += pixels[i] != COLOUR;
	expect("pixels of the fill that differ", wrong, 0);
	expect("the word after the fill", pixels[WIDTH * HEIGHT], 0);
	must("GEM_CPU_FINI", drm(fd, CPU_FINI, &fini));
	submit.stream_size = 3;
	expect("a stream of an odd size", drm(fd, GEM_SUBMIT, &submit), -EINVAL);
}

/* A fill that takes the model a quarter of a millisecond. */
#define LONG_WIDTH	1024
#define LONG_HEIGHT	256
#define LONG_BYTES	(LONG_WIDTH * LONG_HEIGHT * 4)

static struct etnaviv_timespec
after_ns(uint64_t ns)
{
	uint64_t at = now_ns() + ns;

	return ((struct etnaviv_timespec) { .sec = (int64_t)(at / 1000000000),
	    .nsec = (int64_t)(at % 1000000000) });
}

static int
has_passed(struct etnaviv_timespec at)
{
	return ((int64_t)now_ns() >= at.sec * 1000000000 + at.nsec);
}

/*
 * Creates a buffer, submits four jobs, waits for one each by sync_file, CPU_PREP, WAIT_FENCE and
 * GEM_WAIT, and closes the buffer.
 */
static uint64_t
calls(int fd)
{
	static struct etnaviv_gem_new target = { LONG_BYTES, BO_WC, 0 };
	static volatile uint32_t *last;
	static uint32_t first_bo;
	uint32_t stream[2 * nitems(states)];
	struct etnaviv_gem_new new = { 4096, BO_WC, 0 };
	struct etnaviv_reloc reloc = { ADDRESS * 8 + 4, 0, 0, 0, 0 };
	struct etnaviv_bo bos[2];
	struct etnaviv_submit submit = { .nr_bos = nitems(bos), .nr_relocs = 1,
	    .stream_size = sizeof(stream), .bos = (uintptr_t)bos, .relocs = (uintptr_t)&reloc,
	    .stream = (uintptr_t)stream, .flags = FENCE_FD_OUT, .fence_fd = -1 };
	struct etnaviv_cpu_prep prep;
	struct etnaviv_cpu_fini fini;
	struct etnaviv_wait_fence wait = { 0, 0, 0, 0, { 0, 0 } };
	struct etnaviv_gem_wait idle = { 0, 0, 0, 0, { 0, 0 } };
	struct drm_gem_close close;
	long error;

	if (last == NULL) {
		must("GEM_NEW", drm(fd, GEM_NEW, &target));
		last = map(fd, offset(fd, target.handle), LONG_BYTES, PROT_READ | PROT_WRITE);
		last += LONG_BYTES / 4 - 1;
	}
	must("GEM_NEW", signaled("GEM_NEW", fd, GEM_NEW, &new));
	if (first_bo == 0)
		first_bo = new.handle;
	expect("the handle of a new buffer", new.handle, first_bo);
	bos[0] = (struct etnaviv_bo) { BO_WRITE, target.handle, 0 };
	bos[1] = (struct etnaviv_bo) { BO_WRITE, new.handle, 0 };
	fill_stream(stream);
	stream[5] = 6 << 21 | LONG_WIDTH * 4;
	stream[13] = LONG_HEIGHT << 16 | LONG_WIDTH;
	*last = 0;
	must("GEM_SUBMIT", signaled("GEM_SUBMIT", fd, GEM_SUBMIT, &submit));
	signaled_poll(submit.fence_fd);
	expect("the last pixel", *last, COLOUR);
	sys(SYS_CLOSE, (long)submit.fence_fd);
	submit.flags = 0;
	*last = 0;
	must("GEM_SUBMIT", signaled("GEM_SUBMIT", fd, GEM_SUBMIT, &submit));
	prep = (struct etnaviv_cpu_prep) { target.handle, PREP_READ | PREP_WRITE,
	    after_ns(100000) };
	error = signaled("CPU_PREP for a moment", fd, CPU_PREP, &prep);
	expect("a short wait", error == 0 || error == -ETIMEDOUT || error == -EBUSY, 1);
	expect("the job or the deadline was waited for",
	    error == 0 ? *last == COLOUR : has_passed(prep.timeout), 1);
	prep.timeout = after_ns(20000000000);
	must("GEM_CPU_PREP", signaled("CPU_PREP", fd, CPU_PREP, &prep));
	expect("the last pixel", *last, COLOUR);
	fini = (struct etnaviv_cpu_fini) { target.handle, 0 };
	must("GEM_CPU_FINI", signaled("CPU_FINI", fd, CPU_FINI, &fini));
	must("GEM_SUBMIT", signaled("GEM_SUBMIT", fd, GEM_SUBMIT, &submit));
	wait.fence = submit.fence;
	wait.timeout = after_ns(100000);
	error = signaled("WAIT_FENCE for a moment", fd, WAIT_FENCE, &wait);
	expect("a short wait", error == 0 || error == -ETIMEDOUT || error == -EBUSY, 1);
	expect("the job or the deadline was waited for", error == 0 || has_passed(wait.timeout), 1);
	wait.timeout = after_ns(20000000000);
	must("WAIT_FENCE", signaled("WAIT_FENCE", fd, WAIT_FENCE, &wait));
	*last = 0;
	must("GEM_SUBMIT", signaled("GEM_SUBMIT", fd, GEM_SUBMIT, &submit));
	idle.handle = new.handle;
	idle.timeout = after_ns(20000000000);
	must("GEM_WAIT", signaled("GEM_WAIT", fd, GEM_WAIT, &idle));
	expect("the last pixel", *last, COLOUR);
	signaled_prime(fd, new.handle);
	close = (struct drm_gem_close) { new.handle, 0 };
	must("GEM_CLOSE", signaled("GEM_CLOSE", fd, GEM_CLOSE, &close));
	return (4);
}

static void
small(int fd)
{
	static struct etnaviv_bo bo = { BO_WRITE, 0, 0 };
	uint32_t stream[2 * nitems(states)];
	struct etnaviv_reloc reloc = { ADDRESS * 8 + 4, 0, 0, 0, 0 };
	struct etnaviv_submit submit = { .nr_bos = 1, .nr_relocs = 1, .stream_size = sizeof(stream),
	    .bos = (uintptr_t)&bo, .relocs = (uintptr_t)&reloc, .stream = (uintptr_t)stream };
	struct etnaviv_wait_fence wait = { 0, 0, 0, 0, { 0, 0 } };

	if (bo.handle == 0)
		bo.handle = create(fd, 4096);
	fill_stream(stream);
	must("GEM_SUBMIT", drm(fd, GEM_SUBMIT, &submit));
	wait.fence = submit.fence;
	wait.timeout = after_ns(20000000000);
	must("WAIT_FENCE", drm(fd, WAIT_FENCE, &wait));
}

static void
test(int fd)
{
	struct etnaviv_param model = { 0, GPU_MODEL, 0 }, none = { 0, 9999, 0 };
	struct etnaviv_param no_core = { 7, GPU_MODEL, 0 };
	struct etnaviv_gem_new bo = { 65536, BO_WC, 0 }, bad = { 65536, 1, 0 };
	volatile uint32_t *words;

	must("GET_PARAM", drm(fd, GET_PARAM, &model));
	expect("GPU_MODEL", (long)model.value, 0x7000);
	expect("GET_PARAM of an unknown parameter", drm(fd, GET_PARAM, &none), -EINVAL);
	expect("GET_PARAM of a missing core", drm(fd, GET_PARAM, &no_core), -EINVAL);
	expect("GEM_NEW with unknown flags", drm(fd, GEM_NEW, &bad), -EINVAL);
	must("GEM_NEW", drm(fd, GEM_NEW, &bo));
	words = map(fd, offset(fd, bo.handle), bo.size, PROT_READ | PROT_WRITE);
	expect("a new buffer", words[bo.size / 4 - 1], 0);
	words[bo.size / 4 - 1] = 0x89abcdef;
	expect("a word written", words[bo.size / 4 - 1], 0x89abcdef);
	fill(fd, bo.handle, words);
	any_buffer(fd, bo.handle);
	/* The mapping keeps the memory. */
	expect("the word after GEM_CLOSE", words[bo.size / 4 - 1], 0x89abcdef);
	sys(SYS_MUNMAP, words, bo.size);
}

const struct native_driver etnaviv = { "etnaviv", test, create, offset, NULL, user, launch, calls,
	try_create, small, 0 };
