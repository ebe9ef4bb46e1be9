/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * drm_os.h - the interface between the operating system and the DRM layer with
 * its drivers, in both directions.
 *
 * Implemented in C on FreeBSD (sys/dev/drm/kpi/freebsd) and in user space by
 * tests/lib/os.  The Rust side wraps it once, in sys/dev/drm/kpi/src/os.
 *
 * Conventions
 *   - Every call takes a handle; there is no hidden global.
 *   - int results are 0 or a positive FreeBSD errno (DRM_OS_E*).
 *   - A call that fails changes nothing and stores nothing.
 *   - Calls that may sleep say so.  All others may be used with a drm_os_mtx
 *     held and from an interrupt handler; an interrupt handler runs in its own
 *     thread (FreeBSD: ithread) and must not sleep.
 *   - Times are nanoseconds of a monotonic clock; DRM_OS_NEVER is no deadline.
 *   - A callback is a pair of function and argument.  Its _destroy or
 *     _teardown returns when the callback is not running and will not run
 *     again.
 *   - Lock order: sx, then mtx.  Nothing that sleeps is called with an mtx held.
 */
#ifndef _DRM_OS_H_
#define	_DRM_OS_H_

#ifdef _KERNEL
#include <sys/types.h>
#else
#include <stddef.h>
#include <stdint.h>
#endif

/* FreeBSD's numbers, on every system. */
#define	DRM_OS_ERESTART		(-1)	/* drm_os_cv_wait, _caller_interrupted */
#define	DRM_OS_EPERM		1
#define	DRM_OS_ENOENT		2
#define	DRM_OS_EINTR		4
#define	DRM_OS_EIO		5
#define	DRM_OS_ENXIO		6
#define	DRM_OS_E2BIG		7
#define	DRM_OS_EBADF		9
#define	DRM_OS_ENOMEM		12
#define	DRM_OS_EACCES		13
#define	DRM_OS_EFAULT		14
#define	DRM_OS_EBUSY		16
#define	DRM_OS_EEXIST		17
#define	DRM_OS_ENODEV		19
#define	DRM_OS_EINVAL		22
#define	DRM_OS_EMFILE		24
#define	DRM_OS_ENOTTY		25
#define	DRM_OS_ENOSPC		28
#define	DRM_OS_ESPIPE		29
#define	DRM_OS_ERANGE		34
#define	DRM_OS_EAGAIN		35
#define	DRM_OS_EALREADY		37
#define	DRM_OS_EOPNOTSUPP	45
#define	DRM_OS_ETIMEDOUT	60
#define	DRM_OS_ENOSYS		78
#define	DRM_OS_EOVERFLOW	84
#define	DRM_OS_ECANCELED	85
/* Linux's ETIME, which FreeBSD lacks: there ioctls return ETIMEDOUT. */
#define	DRM_OS_ETIME		1062

#define	DRM_OS_NEVER		UINT64_MAX
#define	DRM_OS_PAGE_SIZE	4096u

struct drm_os;			/* one instance of the system */
/*
 * A device: newbus device_t, FDT node.  It lives until its driver is detached
 * and everything made with it is freed: open files of a device that was
 * detached by force hold memory and locks of it.
 */
struct drm_os_dev;
struct drm_os_caller;		/* the user thread that makes a call */

/*
 * Memory.  drm_os_malloc returns size bytes, aligned to 16, or NULL.
 * DRM_OS_WAITOK may sleep (and may still return NULL); DRM_OS_NOWAIT never
 * sleeps.  With DRM_OS_ZERO the bytes are zero, otherwise anything.
 * drm_os_free takes the size that was asked for; drm_os_free(NULL, size) does
 * nothing.
 */
#define	DRM_OS_WAITOK		0u
#define	DRM_OS_NOWAIT		1u
#define	DRM_OS_ZERO		2u
void	*drm_os_malloc(struct drm_os *os, size_t size, uint32_t flags);
void	 drm_os_free(void *p, size_t size);

/* Time. */
uint64_t drm_os_now(struct drm_os *os);
/* The frequency of the CPUs' timer, in Hz.  GPUs have its time, too. */
uint64_t drm_os_timer_hz(struct drm_os *os);
/* Spin for about ns nanoseconds; for waits of at most a few microseconds. */
void	 drm_os_delay(struct drm_os *os, uint64_t ns);
/* Sleep for at least ns nanoseconds.  May sleep. */
void	 drm_os_sleep(struct drm_os *os, uint64_t ns);

/* The size of RAM in bytes. */
uint64_t drm_os_physmem(struct drm_os *os);

/* A number that this instance never returns again; starts at 1. */
uint64_t drm_os_unique(struct drm_os *os);

/* Log levels follow syslog(3): 3 error, 4 warning, 6 info. */
#define	DRM_OS_LOG_ERR		3u
#define	DRM_OS_LOG_WARNING	4u
#define	DRM_OS_LOG_INFO		6u
/* A line of len bytes without newline; dev may be NULL. */
void	 drm_os_log(struct drm_os *os, struct drm_os_dev *dev, uint32_t level,
	    const char *msg, size_t len);
void	 drm_os_panic(const char *msg, size_t len) __attribute__((__noreturn__));

/*
 * Locks.  drm_os_mtx: mtx(9) MTX_DEF, may be taken by interrupt handlers, its
 * holder never sleeps.  drm_os_sx: sx(9) exclusive, its holder may sleep;
 * taking it may sleep.  Neither recurses.  name must be a literal that
 * outlives the lock; locks with the same name are one class to witness(4).
 * try: nonzero if taken.
 */
struct drm_os_mtx;
struct drm_os_sx;
int	 drm_os_mtx_create(struct drm_os *os, const char *name,
	    struct drm_os_mtx **mtxp);
void	 drm_os_mtx_destroy(struct drm_os_mtx *mtx);
void	 drm_os_mtx_lock(struct drm_os_mtx *mtx);
void	 drm_os_mtx_unlock(struct drm_os_mtx *mtx);
int	 drm_os_sx_create(struct drm_os *os, const char *name,
	    struct drm_os_sx **sxp);
void	 drm_os_sx_destroy(struct drm_os_sx *sx);
void	 drm_os_sx_lock(struct drm_os_sx *sx);
int	 drm_os_sx_try(struct drm_os_sx *sx);
void	 drm_os_sx_unlock(struct drm_os_sx *sx);

/*
 * Condition variables.  drm_os_cv_wait releases mtx, sleeps until a broadcast
 * or until the clock reaches deadline, and takes mtx again: 0 (broadcast or
 * spurious wakeup), ETIMEDOUT, or, if caller is not NULL and has a signal
 * pending or is exiting, EINTR or ERESTART.
 */
struct drm_os_cv;
int	 drm_os_cv_create(struct drm_os *os, const char *name,
	    struct drm_os_cv **cvp);
void	 drm_os_cv_destroy(struct drm_os_cv *cv);
int	 drm_os_cv_wait(struct drm_os_cv *cv, struct drm_os_mtx *mtx,
	    struct drm_os_caller *caller, uint64_t deadline);
void	 drm_os_cv_broadcast(struct drm_os_cv *cv);
/*
 * A mutex and a condition variable of the instance's own, the same for the same
 * key, for objects that are too many and too short-lived to have their own.
 * Objects share them: a thread holds one of these mutexes at a time, and a
 * wakeup may be meant for another object.  All have one name, and live as long
 * as the instance.
 */
void	 drm_os_pool_get(struct drm_os *os, uint64_t key,
	    struct drm_os_mtx **mtxp, struct drm_os_cv **cvp);

/*
 * Tasks run one after another in the thread of their queue and may sleep.
 * Enqueueing a pending task does nothing; one that is enqueued while it runs,
 * runs again.  _at runs it no earlier than the clock reads when, and changes
 * the time of a task that is scheduled already.  cancel: no longer pending (it
 * may be running).  drain waits until it is neither pending nor running; may
 * sleep, as do create and destroy.  The thread of an URGENT queue precedes those
 * of users; that of a BACKGROUND one shares the processors with them.
 */
#define	DRM_OS_QUEUE_URGENT	0u
#define	DRM_OS_QUEUE_BACKGROUND	1u
struct drm_os_taskqueue;
struct drm_os_task;
typedef void drm_os_task_fn(void *arg);
int	 drm_os_taskqueue_create(struct drm_os *os, const char *name,
	    uint32_t urgency, struct drm_os_taskqueue **tqp);
void	 drm_os_taskqueue_destroy(struct drm_os_taskqueue *tq);
int	 drm_os_task_create(struct drm_os_taskqueue *tq, drm_os_task_fn *fn,
	    void *arg, struct drm_os_task **taskp);
void	 drm_os_task_destroy(struct drm_os_task *task);
void	 drm_os_task_enqueue(struct drm_os_task *task);
void	 drm_os_task_enqueue_at(struct drm_os_task *task, uint64_t when);
void	 drm_os_task_cancel(struct drm_os_task *task);
void	 drm_os_task_drain(struct drm_os_task *task);

/*
 * The caller.  copyin and copyout copy len bytes, or fail with EFAULT and have
 * copied none or some.  May sleep.
 */
int	 drm_os_copyin(struct drm_os_caller *caller, uint64_t uaddr, void *kaddr,
	    size_t len);
int	 drm_os_copyout(struct drm_os_caller *caller, const void *kaddr,
	    uint64_t uaddr, size_t len);
int32_t	 drm_os_caller_pid(struct drm_os_caller *caller);
/* The real user id. */
uint32_t drm_os_caller_uid(struct drm_os_caller *caller);
/*
 * Stores the name of the program, cut to len - 1 bytes and terminated by NUL.
 */
void	 drm_os_caller_comm(struct drm_os_caller *caller, char *buf, size_t len);
/* Nonzero for a privileged caller (FreeBSD: PRIV_DRIVER). */
int	 drm_os_caller_privileged(struct drm_os_caller *caller);
/*
 * The credentials that are charged for the kernel's own memory for a caller's
 * requests; objects are charged when they are made.  charge: ENOMEM if a limit
 * of the user is exceeded (FreeBSD: racct(4), RLIMIT_SWAP).  hold may sleep;
 * everything must be uncharged before free.
 */
struct drm_os_cred;
int	 drm_os_cred_hold(struct drm_os_caller *caller,
	    struct drm_os_cred **credp);
void	 drm_os_cred_free(struct drm_os_cred *cred);
int	 drm_os_cred_charge(struct drm_os_cred *cred, uint64_t bytes);
void	 drm_os_cred_uncharge(struct drm_os_cred *cred, uint64_t bytes);
/*
 * EINTR or ERESTART if caller has a signal pending or is exiting.  Not with an
 * mtx held.
 */
int	 drm_os_caller_interrupted(struct drm_os_caller *caller);

/*
 * Device resources, by the names of the device tree.  A NULL name is the only
 * or first one.  ENOENT: the node has none with that name.
 */
struct drm_os	*drm_os_dev_os(struct drm_os_dev *dev);
/*
 * Stores the name of the device, at most len bytes, without NUL; returns the
 * number of bytes.
 */
size_t	 drm_os_dev_name(struct drm_os_dev *dev, char *buf, size_t len);
/*
 * For a DRM device with several device tree nodes: the softc that attach
 * stored for the index-th other device of the instance with the same driver
 * attached, NULL past the last.  Only during attach; attach and detach of an
 * instance are serialised (FreeBSD: the topology lock, devclass_get_softc()).
 */
void	*drm_os_dev_peer(struct drm_os_dev *dev, uint32_t index);
/* Nonzero if the device snoops the CPU's caches (dma-coherent). */
int	 drm_os_dev_coherent(struct drm_os_dev *dev);
/*
 * Sets the number of address bits: pages and runs of the device are within
 * bits, objects within data_bits, which is no less.  EINVAL if that cannot be
 * guaranteed.
 */
int	 drm_os_dev_dma_bits(struct drm_os_dev *dev, uint32_t bits,
	    uint32_t data_bits);

struct drm_os_mmio;
int	 drm_os_mmio_map(struct drm_os_dev *dev, const char *name, size_t min_len,
	    struct drm_os_mmio **mmiop);
void	 drm_os_mmio_unmap(struct drm_os_mmio *mmio);
/*
 * off is a multiple of 4 below min_len.  A write is ordered after all earlier
 * stores of this CPU, a read before all later loads.
 */
uint32_t drm_os_mmio_read4(struct drm_os_mmio *mmio, uint32_t off);
void	 drm_os_mmio_write4(struct drm_os_mmio *mmio, uint32_t off, uint32_t val);

/*
 * Level interrupts; the line is masked while its handler runs.  sync waits
 * until the handler is not running; may sleep.  teardown may sleep.
 */
struct drm_os_irq;
typedef void drm_os_irq_fn(void *arg);
int	 drm_os_irq_setup(struct drm_os_dev *dev, const char *name,
	    drm_os_irq_fn *fn, void *arg, struct drm_os_irq **irqp);
void	 drm_os_irq_teardown(struct drm_os_irq *irq);
void	 drm_os_irq_sync(struct drm_os_irq *irq);

/* Clocks, regulators, resets and the power domain; all may sleep. */
struct drm_os_clk;
int	 drm_os_clk_get(struct drm_os_dev *dev, const char *name,
	    struct drm_os_clk **clkp);
void	 drm_os_clk_put(struct drm_os_clk *clk);
int	 drm_os_clk_enable(struct drm_os_clk *clk);
int	 drm_os_clk_disable(struct drm_os_clk *clk);
int	 drm_os_clk_rate(struct drm_os_clk *clk, uint64_t *hz);
struct drm_os_regulator;
int	 drm_os_regulator_get(struct drm_os_dev *dev, const char *name,
	    struct drm_os_regulator **regp);
void	 drm_os_regulator_put(struct drm_os_regulator *reg);
int	 drm_os_regulator_enable(struct drm_os_regulator *reg);
int	 drm_os_regulator_disable(struct drm_os_regulator *reg);
struct drm_os_reset;
int	 drm_os_reset_get(struct drm_os_dev *dev, const char *name,
	    struct drm_os_reset **resetp);
void	 drm_os_reset_put(struct drm_os_reset *reset);
int	 drm_os_reset_assert(struct drm_os_reset *reset);
int	 drm_os_reset_deassert(struct drm_os_reset *reset);
int	 drm_os_power_on(struct drm_os_dev *dev);
int	 drm_os_power_off(struct drm_os_dev *dev);

/*
 * Single pages for the device's own tables: wired, zeroed, cached, within the
 * device's DMA bits, with the zeroes visible to the device.  _kva returns the
 * CPU address of such a page (FreeBSD: the direct map), NULL for others.
 */
int	 drm_os_page_alloc(struct drm_os_dev *dev, uint64_t *pa);
void	 drm_os_page_free(struct drm_os_dev *dev, uint64_t pa);
void	*drm_os_page_kva(struct drm_os_dev *dev, uint64_t pa);
/*
 * Runs of such pages: physically contiguous, aligned to the size, which is a
 * power of two of at most 2 MiB.  _kva of the first page is the CPU address of
 * the run.  May sleep.
 */
int	 drm_os_run_alloc(struct drm_os_dev *dev, uint64_t size, uint64_t *pa);
void	 drm_os_run_free(struct drm_os_dev *dev, uint64_t pa, uint64_t size);

/*
 * Cache maintenance for memory that the CPU maps cached and a device that does
 * not snoop.  FOR_DEVICE: what the CPU wrote in [pa, pa + len) is in memory
 * when this returns.  FOR_CPU: later loads see what the device wrote.  The
 * range is within one page.  Does nothing if the device snoops.
 */
#define	DRM_OS_SYNC_FOR_DEVICE	0u
#define	DRM_OS_SYNC_FOR_CPU	1u
void	 drm_os_page_sync(struct drm_os_dev *dev, uint64_t pa, size_t len,
	    uint32_t dir);
/* As drm_os_page_sync, for a range within a run of the caller's. */
void	 drm_os_run_sync(struct drm_os_dev *dev, uint64_t pa, size_t len,
	    uint32_t dir);

/*
 * Objects: the memory of a buffer, size bytes in whole pages, which processes
 * map, the device accesses by physical address, and the kernel may map.  A
 * page is allocated, zeroed, when it is wired or a process accesses it.  The
 * attribute is that of CPU mappings.  WRITE_COMBINE memory needs no sync
 * (FreeBSD/arm64: Normal-NC, VM_MEMATTR_UNCACHEABLE); CACHED needs it unless
 * the device snoops.
 */
#define	DRM_OS_MEM_CACHED	0u
#define	DRM_OS_MEM_WRITE_COMBINE 1u
struct drm_os_object;
int	 drm_os_object_create(struct drm_os_dev *dev, uint64_t size, uint32_t attr,
	    struct drm_os_object **objp);
/*
 * An object of the caller's memory at [uaddr, uaddr + size), whole pages,
 * wired until the object is freed and shared with the process.  write: the
 * device may write to it.  EFAULT: there is no memory, caller may not write to
 * it, the device does not reach it, or CPUs do not map it cached (memory of a
 * device or a WRITE_COMBINE object); EINVAL: not whole pages, or none.  It is
 * CACHED; wire returns its pages; it cannot be purged or mapped.  May sleep.
 */
int	 drm_os_object_create_user(struct drm_os_dev *dev,
	    struct drm_os_caller *caller, uint64_t uaddr, uint64_t size, int write,
	    struct drm_os_object **objp);
/*
 * create returns one reference; the pages are freed with the last one, wired
 * or not.  unref may sleep.
 */
void	 drm_os_object_ref(struct drm_os_object *obj);
void	 drm_os_object_unref(struct drm_os_object *obj);
/*
 * Wires pages [first, first + count) and stores their physical addresses in
 * pa[count].  Aligned 2 MiB runs are contiguous and aligned where the system
 * has such memory.  ENOMEM, EINVAL (beyond the end), ENXIO (purged).  Pages stay
 * wired until the object is purged or freed, also those that a call made before
 * it failed with ENOMEM.  May sleep.
 */
int	 drm_os_object_wire(struct drm_os_object *obj, uint64_t first,
	    uint64_t count, uint64_t *pa);
/*
 * Revokes every user mapping (a later access is a SIGBUS) and frees all pages.
 * EBUSY, with nothing changed: the kernel maps it, or something else has wired
 * a page of it (mlock(2), I/O).  May sleep.
 */
int	 drm_os_object_purge(struct drm_os_object *obj);
/* The number of pages that are allocated. */
uint64_t drm_os_object_resident(struct drm_os_object *obj);
/* Maps all of it, wired, into the kernel.  May sleep. */
int	 drm_os_object_kmap(struct drm_os_object *obj, void **kva);
void	 drm_os_object_kunmap(struct drm_os_object *obj);
/* As drm_os_page_sync, for the part of [off, off + len) in the object. */
void	 drm_os_object_sync(struct drm_os_object *obj, uint64_t off, uint64_t len,
	    uint32_t dir);

/*
 * Open files: device nodes, dma-bufs and sync_files.  The system calls ops
 * with the private pointer of the file.  Any op but release may be NULL (then
 * ioctl fails with ENOTTY, mmap with ENODEV, lseek with ESPIPE, and poll
 * returns 0).
 */
struct drm_os_file;
struct drm_os_file_ops {
	/* Last close; may sleep. */
	void	(*release)(void *priv);
	/*
	 * group and nr are those of the request code.  data is the argument,
	 * copied in (size bytes, zeroed if the request only reads), and copied
	 * out by the system if 0 is returned.
	 */
	int	(*ioctl)(void *priv, struct drm_os_caller *caller, uint32_t group,
		    uint32_t nr, void *data, uint32_t size);
	/*
	 * Stores the object, and the offset in it, for a mapping of len bytes
	 * at offset of the file.  The system takes over a reference to the
	 * object, and drops it with the mapping.  May sleep.
	 */
	int	(*mmap)(void *priv, uint64_t offset, uint64_t len,
		    struct drm_os_object **objp, uint64_t *obj_offset);
	/* Nonzero: readable. */
	int	(*poll)(void *priv);
	/* The result of lseek(2) to the end. */
	uint64_t (*size)(void *priv);
};
/*
 * A dma-buf or sync_file.  create makes it without a descriptor; install makes
 * a descriptor of it for caller and consumes it; without DRM_OS_FD_WRITE, a
 * writable mapping fails with EACCES.  The caller keeps the descriptor if its
 * ioctl returns 0; otherwise it is closed.  discard is for a file that was not
 * installed; it calls release.  wake makes pollers check again; it may be
 * called until release.
 */
int	 drm_os_file_create(struct drm_os *os, const struct drm_os_file_ops *ops,
	    void *priv, struct drm_os_file **filep);
#define	DRM_OS_FD_CLOEXEC	1u
#define	DRM_OS_FD_WRITE		2u
int	 drm_os_file_install(struct drm_os_caller *caller, struct drm_os_file *file,
	    uint32_t flags, int32_t *fdp);
void	 drm_os_file_discard(struct drm_os_file *file);
void	 drm_os_file_wake(struct drm_os_file *file);
/*
 * The file of a descriptor, held until put.  EBADF: no such descriptor;
 * EINVAL: a file with other ops.  May sleep.
 */
int	 drm_os_file_get(struct drm_os_caller *caller, int32_t fd,
	    const struct drm_os_file_ops *ops, void **privp,
	    struct drm_os_file **filep);
void	 drm_os_file_put(struct drm_os_file *file);

/*
 * Device nodes.  open makes the private pointer of a new file.  unregister
 * makes further opens fail; open files stay until they are closed.  May sleep.
 */
#define	DRM_OS_MINOR_PRIMARY	0u
#define	DRM_OS_MINOR_RENDER	2u
struct drm_os_minor;
typedef int drm_os_open_fn(void *arg, struct drm_os_caller *caller, void **privp);
int	 drm_os_minor_register(struct drm_os_dev *dev, uint32_t type,
	    drm_os_open_fn *open, void *arg, const struct drm_os_file_ops *ops,
	    struct drm_os_minor **minorp);
void	 drm_os_minor_unregister(struct drm_os_minor *minor);

/*
 * The functions of a driver (one constant table per driver).
 *   attach: attaches to the device and registers its nodes; may sleep.
 *   detach: EBUSY while files are open unless force; may sleep.
 *   suspend: turns the device off until resume; queued jobs wait, those in
 *     flight run again if they do not complete soon.  May sleep.  A device with
 *     several device tree nodes is off while one of them is suspended.
 *   shutdown: turns the device off at once, for the shutdown of the system; may
 *     sleep.
 *   lowmem: frees memory that clients marked as not needed; returns how many
 *     pages were freed.
 *   stat: the index-th statistic of the device, ENOENT past the last.
 *   file_stat: the same of an open file (its private pointer).
 *   dump: copies up to len bytes from byte off of the crash dump that the device
 *     keeps; returns how many, 0 past its end or without one.  May sleep.  For
 *     privileged callers only: it has memory of a client.
 *   dump_clear: frees the dump; the device keeps the next one.
 * suspend to dump_clear may be NULL.  suspend to dump_clear and detach are
 * serialised.
 */
struct drm_os_driver {
	const char	*name;
	const char *const *compatible;	/* ended by NULL */
	int	(*attach)(struct drm_os_dev *dev, void **softc);
	int	(*detach)(void *softc, int force);
	void	(*suspend)(void *softc);
	void	(*resume)(void *softc);
	void	(*shutdown)(void *softc);
	uint64_t (*lowmem)(void *softc, uint64_t pages);
	int	(*stat)(void *softc, uint32_t index, const char **name,
		    uint64_t *value);
	int	(*file_stat)(void *priv, uint32_t index, const char **name,
		    uint64_t *value);
	size_t	(*dump)(void *softc, uint64_t off, void *buf, size_t len);
	void	(*dump_clear)(void *softc);
};

/* A tunable of the module (FreeBSD: kenv hw.drmkpi.<name>), or value if it is
 * not set. */
uint64_t drm_os_tunable(struct drm_os *os, const char *name, uint64_t value);

#endif /* _DRM_OS_H_ */
