/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The DRM requests of the native client, in FreeBSD's encoding.  The names and fields are those of
 * drm.h, panfrost_drm.h and etnaviv_drm.h of the user ABI.
 */

#ifndef TESTS_VM_DRM_H
#define TESTS_VM_DRM_H

#include "sys.h"

struct drm_version {
	int32_t major, minor, patchlevel;
	uint64_t name_len;
	char *name;
	uint64_t date_len;
	char *date;
	uint64_t desc_len;
	char *desc;
};
#define VERSION	IOWR('d', 0x00, struct drm_version)

struct drm_gem_close {
	uint32_t handle, pad;
};
#define GEM_CLOSE	IOW('d', 0x09, struct drm_gem_close)

struct drm_cap {
	uint64_t capability, value;
};
#define GET_CAP	IOWR('d', 0x0c, struct drm_cap)
#define CAP_PRIME	5
#define SET_MASTER	IO('d', 0x1e)

struct drm_prime_handle {
	uint32_t handle, flags;
	int32_t fd;
};
#define PRIME_HANDLE_TO_FD	IOWR('d', 0x2d, struct drm_prime_handle)
#define PRIME_FD_TO_HANDLE	IOWR('d', 0x2e, struct drm_prime_handle)

struct drm_syncobj {
	uint32_t handle, flags;
};
#define SYNCOBJ_CREATE	IOWR('d', 0xbf, struct drm_syncobj)
#define SYNCOBJ_DESTROY	IOWR('d', 0xc0, struct drm_syncobj)

struct drm_syncobj_handle {
	uint32_t handle, flags;
	int32_t fd;
	uint32_t pad;
};
#define SYNCOBJ_HANDLE_TO_FD	IOWR('d', 0xc1, struct drm_syncobj_handle)
#define SYNCOBJ_SYNC_FILE	1

struct dma_buf_sync_file {
	uint32_t flags;
	int32_t fd;
};
#define DMA_BUF_EXPORT_SYNC_FILE	IOWR('b', 2, struct dma_buf_sync_file)
#define DMA_BUF_IMPORT_SYNC_FILE	IOW('b', 3, struct dma_buf_sync_file)
#define DMA_BUF_READ	1
#define DMA_BUF_WRITE	2

struct drm_syncobj_wait {
	uint64_t handles;
	int64_t timeout_ns;
	uint32_t count, flags, first, pad;
};
#define SYNCOBJ_WAIT	IOWR('d', 0xc3, struct drm_syncobj_wait)
#define SYNCOBJ_WAIT_ALL	1
#define SYNCOBJ_WAIT_FOR_SUBMIT	2

struct drm_syncobj_array {
	uint64_t handles;
	uint32_t count, pad;
};
#define SYNCOBJ_RESET	IOWR('d', 0xc4, struct drm_syncobj_array)
#define SYNCOBJ_SIGNAL	IOWR('d', 0xc5, struct drm_syncobj_array)

struct sync_merge_data {
	char name[32];
	int32_t fd2, fence;
	uint32_t flags, pad;
};
#define SYNC_IOC_MERGE	IOWR('>', 3, struct sync_merge_data)

struct sync_file_info {
	char name[32];
	int32_t status;
	uint32_t flags, num_fences, pad;
	uint64_t fences;
};
#define SYNC_IOC_FILE_INFO	IOWR('>', 4, struct sync_file_info)

/* native_drm.c */
/* The number of failed expectations. */
extern int failures;
/* Prints a line and counts a failure if `found` is not `wanted`. */
void expect(const char *what, long found, long wanted);
/*
 * Returns the result of a system call that must succeed.  If it is a negated errno, prints a line
 * and exits with the errno.
 */
long must(const char *what, long result);
/* ioctl(2). */
long drm(int fd, uint64_t request, void *argument);
/* Waits for a sync_file with kevent(2) and poll(2), and closes it. */
void wait_sync_file(int fd);
/* mmap(2) with MAP_SHARED. */
void *map(int fd, uint64_t offset, size_t size, int prot);
/* Exports, imports and closes a buffer. */
void any_buffer(int fd, uint32_t handle);

/* Reads an address in a child process.  Returns the child's status from wait4(2). */
long reader(const volatile uint32_t *at);

/* The requests of one driver. */
struct native_driver {
	const char *name;
	/* The tests of the driver's own requests. */
	void (*test)(int fd);
	/* Creates a buffer.  Returns its handle. */
	uint32_t (*create)(int fd, uint32_t size);
	/* Returns the offset for mmap(2) of a buffer. */
	uint64_t (*offset)(int fd, uint32_t handle);
	/*
	 * Advises whether a buffer's content is needed.  Returns whether the content is retained.
	 * NULL if the driver has no such request.
	 */
	int (*need)(int fd, uint32_t handle, int needed);
	/*
	 * Creates a buffer from memory of this process, and closes it.  Returns 0, or the negated
	 * errno.  NULL if the driver has no such request.
	 */
	long (*user)(int fd, const volatile void *at, uint64_t size);
	/*
	 * Submits a job that uses a new buffer of `size` bytes, and closes the buffer.  Returns a
	 * sync_file of the job's fence, or a negated errno.
	 */
	long (*launch)(int fd, uint32_t size);
	/* Makes requests of all kinds with signaled().  Returns the number of submitted jobs. */
	uint64_t (*round)(int fd);
	/* Creates a buffer.  Returns its handle, or a negated errno. */
	long (*try_create)(int fd, uint32_t size);
	/* Submits a job, the same in each call, and waits for its fence. */
	void (*small)(int fd);
	/* Whether the driver supports syncobjs. */
	int syncobjs;
};
extern const struct native_driver panfrost, etnaviv;
/* native_drm.c: reads dev.DRIVER.0.NAME. */
uint64_t statistic(const struct native_driver *driver, const char *name);

/* native_vm.c: the VM system's operations on pages of buffers. */
void vm_interfaces(int fd, const struct native_driver *driver);
/* native_vm_lock.c: a process with locked pages when the driver is unloaded. */
void vm_locked(int fd, const struct native_driver *driver);

/* native_life.c: clients when the driver is unloaded, and files that the kernel closes itself. */
void hold(int fd, const struct native_driver *driver);
[[noreturn]] void busy(int fd, const struct native_driver *driver);
void churn(int fd, const struct native_driver *driver);
void inflight(int fd, const struct native_driver *driver);

/* native_latency.c: how long a small client waits while other clients load the driver. */
void latency(int fd, const struct native_driver *driver, uint64_t submits, uint64_t rounds);

/* native_million.c: `count` jobs in tenths, and after each what the kernel has allocated. */
void million(int fd, const struct native_driver *driver, uint64_t count);

/* native_signals.c: repeats round() until `count` signals have arrived during its requests. */
void signals(int fd, const struct native_driver *driver, uint64_t count);
/*
 * An ioctl(2), a poll(2) of a sync_file, and PRIME export and import of a buffer, each repeated as
 * long as it fails with EINTR.
 */
long signaled(const char *name, int fd, uint64_t request, void *argument);
void signaled_poll(int fd);
void signaled_prime(int fd, uint32_t handle);
#define RENDER_NODE	"/dev/dri/renderD128"

struct kevent {
	uintptr_t ident;
	int16_t filter;
	uint16_t flags;
	uint32_t fflags;
	int64_t data;
	void *udata;
	uint64_t ext[4];
};
#define EVFILT_READ	(-1)
#define EV_ADD	1

#endif
