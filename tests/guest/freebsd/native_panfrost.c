/* SPDX-License-Identifier: BSD-2-Clause */

/* The requests of panfrost(4), and a job that writes a word. */

#include "drm.h"

struct panfrost_submit {
	uint64_t jc, in_syncs;
	uint32_t in_sync_count, out_sync;
	uint64_t bo_handles;
	uint32_t bo_handle_count, requirements;
};
#define SUBMIT	IOW('d', 0x40, struct panfrost_submit)

struct panfrost_wait_bo {
	uint32_t handle, pad;
	int64_t timeout_ns;
};
#define WAIT_BO	IOW('d', 0x41, struct panfrost_wait_bo)

struct panfrost_create_bo {
	uint32_t size, flags, handle, pad;
	uint64_t offset;
};
#define CREATE_BO	IOWR('d', 0x42, struct panfrost_create_bo)
#define BO_NOEXEC	1

struct panfrost_mmap_bo {
	uint32_t handle, flags;
	uint64_t offset;
};
#define MMAP_BO	IOWR('d', 0x43, struct panfrost_mmap_bo)

struct panfrost_get_param {
	uint32_t param, pad;
	uint64_t value;
};
#define GET_PARAM	IOWR('d', 0x44, struct panfrost_get_param)
#define GPU_PROD_ID	0

struct panfrost_madvise {
	uint32_t handle, madv, retained;
};
#define MADVISE	IOWR('d', 0x48, struct panfrost_madvise)

/*
 * HW: Mesa genxml v5.xml "Job Header", "Write Value Job Payload": bits 1 to 7 of word 4 are the
 * type (1 null, 2 write value), bit 0 selects addresses of 64 bits; value type 3 is Zero.
 */
#define JOB_WRITE_VALUE	(2 << 1 | 1)
#define WRITE_ZERO	3
#define JOB_NULL	(1 << 1 | 1)
/* Null jobs in a chain, before the job that writes. The model takes 5 us for each. */
#define NULLS	40

static long
try_create(int fd, uint32_t size)
{
	struct panfrost_create_bo bo = { .size = size, .flags = BO_NOEXEC };
	long error = drm(fd, CREATE_BO, &bo);

	return (error < 0 ? error : bo.handle);
}

static uint32_t
create(int fd, uint32_t size)
{
	return ((uint32_t)must("CREATE_BO", try_create(fd, size)));
}

static uint64_t
offset(int fd, uint32_t handle)
{
	struct panfrost_mmap_bo place = { handle, 0, 0 };

	must("MMAP_BO", drm(fd, MMAP_BO, &place));
	return (place.offset);
}

static int
need(int fd, uint32_t handle, int needed)
{
	struct panfrost_madvise advice = { handle, !needed, 0 };

	must("MADVISE", drm(fd, MADVISE, &advice));
	return ((int)advice.retained);
}

/* Writes a job that clears the word at offset 2048, and sets that word. */
static void
write_job(struct panfrost_create_bo *bo, volatile uint64_t *words)
{
	volatile uint32_t *header = (volatile uint32_t *)words;
	int i;

	for (i = 0; i < 16; i++)
		header[i] = 0;
	header[4] = JOB_WRITE_VALUE;
	words[4] = bo->offset + 2048;
	header[10] = WRITE_ZERO;
	words[2048 / 8] = ~0ul;
}

static long
launch(int fd, uint32_t size)
{
	struct panfrost_create_bo bo = { .size = size, .flags = BO_NOEXEC };
	struct drm_syncobj sync = { 0, 0 };
	struct panfrost_mmap_bo place = { 0, 0, 0 };
	struct panfrost_submit submit = { .bo_handle_count = 1 };
	struct drm_syncobj_handle out = { .flags = SYNCOBJ_SYNC_FILE, .fd = -1 };
	struct drm_gem_close close = { 0, 0 };
	long error, at;

	if ((error = drm(fd, CREATE_BO, &bo)) < 0)
		return (error);
	place.handle = close.handle = bo.handle;
	if ((error = drm(fd, MMAP_BO, &place)) < 0)
		return (error);
	at = sys(SYS_MMAP, NULL, bo.size, PROT_READ | PROT_WRITE, MAP_SHARED, (long)fd,
	    place.offset);
	if (at < 0)
		return (at);
	write_job(&bo, (volatile uint64_t *)at);
	sys(SYS_MUNMAP, at, bo.size);
	submit.jc = bo.offset;
	submit.bo_handles = (uintptr_t)&bo.handle;
	if ((error = drm(fd, SYNCOBJ_CREATE, &sync)) < 0)
		return (error);
	submit.out_sync = out.handle = sync.handle;
	if ((error = drm(fd, SUBMIT, &submit)) == 0)
		error = drm(fd, SYNCOBJ_HANDLE_TO_FD, &out);
	drm(fd, SYNCOBJ_DESTROY, &sync);
	drm(fd, GEM_CLOSE, &close);
	return (error < 0 ? error : out.fd);
}

static void
job(int fd, struct panfrost_create_bo *bo, volatile uint64_t *words)
{
	struct drm_syncobj sync = { 0, 0 };
	struct panfrost_submit submit = { .jc = bo->offset, .bo_handles = (uintptr_t)&bo->handle,
	    .bo_handle_count = 1 };
	struct panfrost_wait_bo wait = { bo->handle, 0, (int64_t)now_ns() + 10000000000 };
	struct drm_syncobj_handle out = { .flags = SYNCOBJ_SYNC_FILE, .fd = -1 };

	write_job(bo, words);
	must("SYNCOBJ_CREATE", drm(fd, SYNCOBJ_CREATE, &sync));
	submit.out_sync = out.handle = sync.handle;
	must("SUBMIT", drm(fd, SUBMIT, &submit));
	must("SYNCOBJ_HANDLE_TO_FD", drm(fd, SYNCOBJ_HANDLE_TO_FD, &out));
	wait_sync_file(out.fd);
	must("WAIT_BO", drm(fd, WAIT_BO, &wait));
	expect("what the job wrote", (long)words[2048 / 8], 0);
	must("SYNCOBJ_DESTROY", drm(fd, SYNCOBJ_DESTROY, &sync));
	expect("SUBMIT with a destroyed syncobj", drm(fd, SUBMIT, &submit), -ENODEV);
}

/* Writes a chain of null jobs and a job that clears the word at GPU address `target`. */
static void
long_chain(struct panfrost_create_bo *bo, volatile uint32_t *words, uint64_t target)
{
	volatile uint32_t *job;
	uint32_t i;

	for (i = 0; i <= NULLS; i++) {
		job = words + i * 16;
		job[4] = i < NULLS ? JOB_NULL : JOB_WRITE_VALUE;
		if (i < NULLS)
			*(volatile uint64_t *)(job + 6) = bo->offset + (i + 1) * 64;
	}
	job = words + NULLS * 16;
	*(volatile uint64_t *)(job + 8) = target;
	job[10] = WRITE_ZERO;
}

/*
 * Creates a buffer and a syncobj, submits three jobs, waits for one each by buffer, sync_file and
 * syncobj, and destroys the buffer and the syncobj.
 */
static uint64_t
calls(int fd)
{
	static struct panfrost_create_bo chain = { .size = 4096, .flags = BO_NOEXEC };
	static volatile uint64_t *words;
	static uint32_t first_bo, first_sync;
	struct panfrost_create_bo bo = { .size = 4096, .flags = BO_NOEXEC };
	struct drm_syncobj sync = { 0, 0 };
	uint32_t handles[2];
	struct panfrost_submit submit = { .bo_handles = (uintptr_t)handles,
	    .bo_handle_count = nitems(handles) };
	struct panfrost_wait_bo wait;
	struct drm_syncobj_wait sleep = { .handles = (uintptr_t)&sync.handle, .count = 1,
	    .flags = SYNCOBJ_WAIT_FOR_SUBMIT };
	struct drm_syncobj_handle out = { .flags = SYNCOBJ_SYNC_FILE, .fd = -1 };
	struct drm_gem_close close = { 0, 0 };
	uint64_t deadline;
	long error;

	if (words == NULL) {
		must("CREATE_BO", drm(fd, CREATE_BO, &chain));
		words = map(fd, offset(fd, chain.handle), chain.size, PROT_READ | PROT_WRITE);
		long_chain(&chain, (volatile uint32_t *)words, chain.offset + 4088);
	}
	must("CREATE_BO", signaled("CREATE_BO", fd, CREATE_BO, &bo));
	must("SYNCOBJ_CREATE", signaled("SYNCOBJ_CREATE", fd, SYNCOBJ_CREATE, &sync));
	if (first_bo == 0) {
		first_bo = bo.handle;
		first_sync = sync.handle;
	}
	expect("the handle of a new buffer", bo.handle, first_bo);
	expect("the handle of a new syncobj", sync.handle, first_sync);
	/* No job signals the syncobj. */
	deadline = now_ns() + 1500000;
	sleep.timeout_ns = (int64_t)deadline;
	error = signaled("SYNCOBJ_WAIT for ever", fd, SYNCOBJ_WAIT, &sleep);
	expect("SYNCOBJ_WAIT of a syncobj without a fence", error, -ETIMEDOUT);
	expect("SYNCOBJ_WAIT returns before the deadline", now_ns() < deadline, 0);
	words[511] = ~0ul;
	handles[0] = chain.handle;
	handles[1] = close.handle = bo.handle;
	submit.jc = chain.offset;
	submit.out_sync = out.handle = sync.handle;
	must("SUBMIT", signaled("SUBMIT", fd, SUBMIT, &submit));
	wait = (struct panfrost_wait_bo) { bo.handle, 0, (int64_t)now_ns() + 100000 };
	error = signaled("WAIT_BO for a moment", fd, WAIT_BO, &wait);
	/* EBUSY: the deadline had passed when the request began. */
	expect("a short wait", error == 0 || error == -ETIMEDOUT || error == -EBUSY, 1);
	expect("the job or the deadline was waited for",
	    error == 0 ? words[511] == 0 : (int64_t)now_ns() >= wait.timeout_ns, 1);
	wait.timeout_ns = (int64_t)now_ns() + 20000000000;
	must("WAIT_BO", signaled("WAIT_BO", fd, WAIT_BO, &wait));
	expect("what the job wrote", (long)words[511], 0);
	words[511] = ~0ul;
	must("SUBMIT", signaled("SUBMIT", fd, SUBMIT, &submit));
	error = signaled("SYNCOBJ_HANDLE_TO_FD", fd, SYNCOBJ_HANDLE_TO_FD, &out);
	must("SYNCOBJ_HANDLE_TO_FD", error);
	signaled_poll(out.fd);
	sys(SYS_CLOSE, (long)out.fd);
	expect("what the job wrote", (long)words[511], 0);
	must("SUBMIT", signaled("SUBMIT", fd, SUBMIT, &submit));
	sleep.timeout_ns = (int64_t)now_ns() + 20000000000;
	must("SYNCOBJ_WAIT", signaled("SYNCOBJ_WAIT", fd, SYNCOBJ_WAIT, &sleep));
	signaled_prime(fd, bo.handle);
	must("GEM_CLOSE", signaled("GEM_CLOSE", fd, GEM_CLOSE, &close));
	must("SYNCOBJ_DESTROY", signaled("SYNCOBJ_DESTROY", fd, SYNCOBJ_DESTROY, &sync));
	return (3);
}

static void
small(int fd)
{
	static struct panfrost_create_bo bo = { .size = 4096, .flags = BO_NOEXEC };
	static struct drm_syncobj sync;
	static volatile uint64_t *words;
	struct panfrost_submit submit = { .bo_handles = (uintptr_t)&bo.handle,
	    .bo_handle_count = 1 };
	struct drm_syncobj_wait wait = { .handles = (uintptr_t)&sync.handle, .count = 1 };

	if (words == NULL) {
		must("CREATE_BO", drm(fd, CREATE_BO, &bo));
		must("SYNCOBJ_CREATE", drm(fd, SYNCOBJ_CREATE, &sync));
		words = map(fd, offset(fd, bo.handle), bo.size, PROT_READ | PROT_WRITE);
		write_job(&bo, words);
	}
	words[2048 / 8] = ~0ul;
	submit.jc = bo.offset;
	submit.out_sync = sync.handle;
	wait.timeout_ns = (int64_t)now_ns() + 20000000000;
	must("SUBMIT", drm(fd, SUBMIT, &submit));
	must("SYNCOBJ_WAIT", drm(fd, SYNCOBJ_WAIT, &wait));
	expect("what the job wrote", (long)words[2048 / 8], 0);
}

static void
test(int fd)
{
	struct panfrost_get_param id = { GPU_PROD_ID, 0, 0 }, none = { 9999, 0, 0 };
	struct panfrost_create_bo bo = { .size = 65536, .flags = BO_NOEXEC };
	struct panfrost_create_bo bad = { .size = 65536, .flags = 0x80000000 };
	struct panfrost_wait_bo missing = { 4711, 0, 0 };
	volatile uint64_t *words;

	must("GET_PARAM", drm(fd, GET_PARAM, &id));
	expect("GPU_PROD_ID", (long)id.value, 0x860);
	expect("GET_PARAM of an unknown parameter", drm(fd, GET_PARAM, &none), -EINVAL);
	expect("CREATE_BO with unknown flags", drm(fd, CREATE_BO, &bad), -EINVAL);
	expect("WAIT_BO of a missing buffer", drm(fd, WAIT_BO, &missing), -ENOENT);
	must("CREATE_BO", drm(fd, CREATE_BO, &bo));
	words = map(fd, offset(fd, bo.handle), bo.size, PROT_READ | PROT_WRITE);
	expect("a new buffer", (long)words[bo.size / 8 - 1], 0);
	words[bo.size / 8 - 1] = 0x0123456789abcdef;
	expect("a word written", (long)words[bo.size / 8 - 1], 0x0123456789abcdef);
	job(fd, &bo, words);
	any_buffer(fd, bo.handle);
	/* The mapping keeps the memory. */
	expect("the word after GEM_CLOSE", (long)words[bo.size / 8 - 1], 0x0123456789abcdef);
	sys(SYS_MUNMAP, words, (long)bo.size);
}

const struct native_driver panfrost = { "panfrost", test, create, offset, need, NULL, launch, calls,
	try_create, small, 1 };
