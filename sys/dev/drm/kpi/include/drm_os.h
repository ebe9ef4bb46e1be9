/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * drm_os.h - everything the DRM layer and its drivers ask of an operating
 * system, and everything the operating system asks of them.
 *
 * Implemented in C on FreeBSD (sys/dev/drm/kpi/freebsd) and in user space by
 * tests/os.  The Rust side wraps it once, in sys/dev/drm/kpi/src/os.
 *
 * Conventions
 *   - Every call takes a handle; there is no hidden global.
 *   - int results are 0 or a positive FreeBSD errno (DRM_OS_E*).
 *   - A call that fails changes nothing and stores nothing.
 *   - "May sleep" calls say so.  All others may be used with a drm_os_mtx held
 *     and from an interrupt handler; an interrupt handler runs in a thread of
 *     its own (FreeBSD: ithread) and must not sleep.
 *   - Times are nanoseconds of a monotonic clock; DRM_OS_NEVER is no deadline.
 *   - A callback is a (function, argument) pair.  Its _destroy or _teardown
 *     returns only when the callback is not running and will not run again.
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

/* FreeBSD's numbers, whatever system this is compiled on. */
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
/* Linux's ETIME, which FreeBSD lacks: its glue answers ETIMEDOUT. */
#define	DRM_OS_ETIME		1062

#define	DRM_OS_NEVER		UINT64_MAX
#define	DRM_OS_PAGE_SIZE	4096u

struct drm_os;			/* one instance of the system */
/* One device node: newbus device_t, FDT node.  It lives until its driver has let
 * go of it and all that was made with it has been given back: open files of a
 * device that was detached by force still hold memory and locks of it. */
struct drm_os_dev;
struct drm_os_caller;		/* the user thread on whose behalf a call runs */

/*
 * Memory.  drm_os_malloc returns size bytes, zeroed and aligned to 16, or NULL.
 * DRM_OS_WAITOK may sleep (and may still return NULL); DRM_OS_NOWAIT never
 * sleeps.  drm_os_free(NULL) does nothing.
 */
#define	DRM_OS_WAITOK		0u
#define	DRM_OS_NOWAIT		1u
void	*drm_os_malloc(struct drm_os *os, size_t size, uint32_t flags);
void	 drm_os_free(void *p);

/* Time. */
uint64_t drm_os_now(struct drm_os *os);
/* Spin for about ns nanoseconds; for waits of at most a few microseconds. */
void	 drm_os_delay(struct drm_os *os, uint64_t ns);
/* Sleep for at least ns nanoseconds.  May sleep. */
void	 drm_os_sleep(struct drm_os *os, uint64_t ns);

/* Bytes of RAM that the system has. */
uint64_t drm_os_physmem(struct drm_os *os);

/* A number never handed out before by this instance; starts at 1. */
uint64_t drm_os_unique(struct drm_os *os);

/* Log levels follow syslog(3): 3 error, 4 warning, 6 info. */
#define	DRM_OS_LOG_ERR		3u
#define	DRM_OS_LOG_WARNING	4u
#define	DRM_OS_LOG_INFO		6u
/* One line of len bytes without newline; dev may be NULL. */
void	 drm_os_log(struct drm_os *os, struct drm_os_dev *dev, uint32_t level,
	    const char *msg, size_t len);
void	 drm_os_panic(const char *msg, size_t len) __attribute__((__noreturn__));

/*
 * Locks.  drm_os_mtx: mtx(9) MTX_DEF, may be taken by interrupt handlers, its
 * holder never sleeps.  drm_os_sx: sx(9) exclusive, its holder may sleep; to
 * take it may sleep.  Neither recurses.  name must be a literal that lives as
 * long as the lock; locks of one name are one class to witness(4).
 * try: nonzero when taken.
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
 * or until the clock reaches deadline, and takes mtx again: 0 (look again, also
 * spurious), ETIMEDOUT, or, when caller is not NULL and has a signal pending or
 * is dying, EINTR or ERESTART.
 */
struct drm_os_cv;
int	 drm_os_cv_create(struct drm_os *os, const char *name,
	    struct drm_os_cv **cvp);
void	 drm_os_cv_destroy(struct drm_os_cv *cv);
int	 drm_os_cv_wait(struct drm_os_cv *cv, struct drm_os_mtx *mtx,
	    struct drm_os_caller *caller, uint64_t deadline);
void	 drm_os_cv_broadcast(struct drm_os_cv *cv);

/*
 * Tasks run one after another in the thread of their queue and may sleep.
 * Enqueueing a pending task does nothing; one enqueued while it runs runs once
 * more.  _at runs it no earlier than the clock reads when, and moves the time
 * of a task already so scheduled.  cancel: not pending any more (it may be
 * running).  drain waits until it is neither pending nor running; may sleep, as
 * do create and destroy.  The thread of an URGENT queue comes before those of
 * users; that of a BACKGROUND one takes turns with them.
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
 * The caller.  copyin and copyout move len bytes, or fail with EFAULT having
 * moved none or some.  May sleep.
 */
int	 drm_os_copyin(struct drm_os_caller *caller, uint64_t uaddr, void *kaddr,
	    size_t len);
int	 drm_os_copyout(struct drm_os_caller *caller, const void *kaddr,
	    uint64_t uaddr, size_t len);
int32_t	 drm_os_caller_pid(struct drm_os_caller *caller);
/* The real user. */
uint32_t drm_os_caller_uid(struct drm_os_caller *caller);
/* Stores the name of the program, cut to len - 1 bytes and ended by NUL. */
void	 drm_os_caller_comm(struct drm_os_caller *caller, char *buf, size_t len);
/* Nonzero for who may do anything (FreeBSD: PRIV_DRIVER). */
int	 drm_os_caller_privileged(struct drm_os_caller *caller);
/*
 * Whom memory is charged to that the kernel itself takes for a caller's
 * requests; what objects are is charged as they are made.  charge: ENOMEM past a
 * limit that the system has set the user (FreeBSD: racct(4), RLIMIT_SWAP).  hold
 * may sleep; free needs everything uncharged.
 */
struct drm_os_cred;
int	 drm_os_cred_hold(struct drm_os_caller *caller,
	    struct drm_os_cred **credp);
void	 drm_os_cred_free(struct drm_os_cred *cred);
int	 drm_os_cred_charge(struct drm_os_cred *cred, uint64_t bytes);
void	 drm_os_cred_uncharge(struct drm_os_cred *cred, uint64_t bytes);
/* EINTR or ERESTART when caller has a signal pending or is dying.  Not with an
 * mtx held. */
int	 drm_os_caller_interrupted(struct drm_os_caller *caller);

/*
 * Device resources, found by the names of the device tree.  A NULL name is the
 * only or first one.  ENOENT: the node has none of that name.
 */
struct drm_os	*drm_os_dev_os(struct drm_os_dev *dev);
/* Stores the name of the device, len bytes at the most, without NUL; returns how
 * many bytes that were. */
size_t	 drm_os_dev_name(struct drm_os_dev *dev, char *buf, size_t len);
/*
 * For a driver whose one DRM device spans several nodes: what attach stored for
 * the index-th other device of the instance that has the same driver attached,
 * NULL past the last.  Only during attach; attach and detach of an instance do
 * not run side by side (FreeBSD: the topology lock, devclass_get_softc()).
 */
void	*drm_os_dev_peer(struct drm_os_dev *dev, uint32_t index);
/* Nonzero when the device snoops the CPU's caches (dma-coherent). */
int	 drm_os_dev_coherent(struct drm_os_dev *dev);
/* The device can address this many bits: pages and runs made for it lie below,
 * and objects below data_bits, which is no less.  EINVAL if that cannot be seen
 * to. */
int	 drm_os_dev_dma_bits(struct drm_os_dev *dev, uint32_t bits,
	    uint32_t data_bits);

struct drm_os_mmio;
int	 drm_os_mmio_map(struct drm_os_dev *dev, const char *name, size_t min_len,
	    struct drm_os_mmio **mmiop);
void	 drm_os_mmio_unmap(struct drm_os_mmio *mmio);
/* off is a multiple of 4 below min_len.  A write is ordered after all earlier
 * stores of this CPU, a read before all later loads. */
uint32_t drm_os_mmio_read4(struct drm_os_mmio *mmio, uint32_t off);
void	 drm_os_mmio_write4(struct drm_os_mmio *mmio, uint32_t off, uint32_t val);

/* Level interrupts; the line is masked while its handler runs.  sync waits for
 * a handler that is running now; may sleep.  teardown may sleep. */
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
 * Single pages for the device's own tables: wired, zeroed, cached, below the
 * device's DMA bits, their zeroes visible to the device.  _kva gives the CPU
 * address of a page so allocated (FreeBSD: the direct map), NULL for others.
 */
int	 drm_os_page_alloc(struct drm_os_dev *dev, uint64_t *pa);
void	 drm_os_page_free(struct drm_os_dev *dev, uint64_t pa);
void	*drm_os_page_kva(struct drm_os_dev *dev, uint64_t pa);
/*
 * The same for a run of pages: physically contiguous, aligned to its size, which
 * is a power of two of at most 2 MiB.  _kva of its first page is the CPU address
 * of all of it.  May sleep.
 */
int	 drm_os_run_alloc(struct drm_os_dev *dev, uint64_t size, uint64_t *pa);
void	 drm_os_run_free(struct drm_os_dev *dev, uint64_t pa, uint64_t size);

/*
 * Cache maintenance for memory that the CPU maps cached and a device that does
 * not snoop.  FOR_DEVICE: what the CPU wrote in [pa, pa + len) is in memory when
 * this returns.  FOR_CPU: later loads see what the device wrote.  The range
 * stays within one page.  Does nothing where the device snoops.
 */
#define	DRM_OS_SYNC_FOR_DEVICE	0u
#define	DRM_OS_SYNC_FOR_CPU	1u
void	 drm_os_page_sync(struct drm_os_dev *dev, uint64_t pa, size_t len,
	    uint32_t dir);

/*
 * Objects: the memory of a buffer, size bytes in whole pages, that user
 * processes map, the device reaches by physical address, and the kernel may map.
 * A page comes, zeroed, when first wired or touched by a user.  Attributes: how
 * CPUs map it.  WRITE_COMBINE memory needs no sync (FreeBSD/arm64: Normal-NC,
 * VM_MEMATTR_UNCACHEABLE); CACHED needs it unless the device snoops.
 */
#define	DRM_OS_MEM_CACHED	0u
#define	DRM_OS_MEM_WRITE_COMBINE 1u
struct drm_os_object;
int	 drm_os_object_create(struct drm_os_dev *dev, uint64_t size, uint32_t attr,
	    struct drm_os_object **objp);
/*
 * An object of the memory that caller has at [uaddr, uaddr + size), whole pages,
 * wired until the object is freed, seen by the device as that process sees it.
 * write: the device may write to it.  EFAULT: no memory there, none that caller
 * may write to, none that the device reaches, or none that CPUs map cached (a
 * device's, a WRITE_COMBINE object's); EINVAL: not whole pages, or none.  It is
 * CACHED, wire gives its pages, it cannot be purged or mapped.  May sleep.
 */
int	 drm_os_object_create_user(struct drm_os_dev *dev,
	    struct drm_os_caller *caller, uint64_t uaddr, uint64_t size, int write,
	    struct drm_os_object **objp);
/* create gives one reference; the pages are freed with the last one, wired or
 * not.  unref may sleep. */
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
 * Revokes every user mapping (a later touch is SIGBUS) and frees all pages.
 * EBUSY, and nothing has changed: the kernel has it mapped, or somebody else has
 * wired a page of it (mlock(2), input or output).  May sleep.
 */
int	 drm_os_object_purge(struct drm_os_object *obj);
/* Pages that this object has now. */
uint64_t drm_os_object_resident(struct drm_os_object *obj);
/* Maps all of it, wired, into the kernel.  May sleep. */
int	 drm_os_object_kmap(struct drm_os_object *obj, void **kva);
void	 drm_os_object_kunmap(struct drm_os_object *obj);
/* As drm_os_page_sync, for what of [off, off + len) is in the object. */
void	 drm_os_object_sync(struct drm_os_object *obj, uint64_t off, uint64_t len,
	    uint32_t dir);

/*
 * Open files: device nodes, dma-bufs and sync_files.  The system calls ops with
 * the private pointer of the file.  Any op but release may be NULL (the system
 * answers ENOTTY to ioctl, ENODEV to mmap, 0 to poll, ESPIPE to size).
 */
struct drm_os_file;
struct drm_os_file_ops {
	/* Last close; may sleep. */
	void	(*release)(void *priv);
	/*
	 * group and nr of the request code, data = its argument already copied in
	 * (size bytes, zeroed where the request only reads) and copied out by the
	 * system when 0 is returned.
	 */
	int	(*ioctl)(void *priv, struct drm_os_caller *caller, uint32_t group,
		    uint32_t nr, void *data, uint32_t size);
	/*
	 * Which object, from which offset of it, a mapping of len bytes at offset
	 * of the file means.  The object comes with a reference for the system,
	 * which the system drops when the mapping is gone.  May sleep.
	 */
	int	(*mmap)(void *priv, uint64_t offset, uint64_t len,
		    struct drm_os_object **objp, uint64_t *obj_offset);
	/* Nonzero: readable. */
	int	(*poll)(void *priv);
	/* What lseek(2) to the end answers. */
	uint64_t (*size)(void *priv);
};
/*
 * A file of our own that is no device node.  create makes it (with no
 * descriptor yet), install gives caller a descriptor of it and consumes it; on
 * one without DRM_OS_FD_WRITE a writable mapping is EACCES.  The caller has the
 * descriptor once its ioctl has returned 0; one that fails takes it back.
 * discard is for a file never installed; it calls release.  wake makes pollers
 * look again; it may be called until release.
 */
int	 drm_os_file_create(struct drm_os *os, const struct drm_os_file_ops *ops,
	    void *priv, struct drm_os_file **filep);
#define	DRM_OS_FD_CLOEXEC	1u
#define	DRM_OS_FD_WRITE		2u
int	 drm_os_file_install(struct drm_os_caller *caller, struct drm_os_file *file,
	    uint32_t flags, int32_t *fdp);
void	 drm_os_file_discard(struct drm_os_file *file);
void	 drm_os_file_wake(struct drm_os_file *file);
/* The file behind a descriptor, held until put.  EBADF: no such descriptor;
 * EINVAL: a file with other ops.  May sleep. */
int	 drm_os_file_get(struct drm_os_caller *caller, int32_t fd,
	    const struct drm_os_file_ops *ops, void **privp,
	    struct drm_os_file **filep);
void	 drm_os_file_put(struct drm_os_file *file);

/*
 * Device nodes.  open makes the private pointer of a new file.  unregister makes
 * further opens fail; open files stay until closed.  May sleep.
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
 * What a driver gives the system (one constant table per driver).
 *   attach: brings the device up and registers its nodes; may sleep.
 *   detach: EBUSY while files are open unless force; may sleep.
 *   suspend: turns the device off until resume; jobs wait, those under way have
 *     another run if they do not end soon.  May sleep.  A device of several nodes
 *     is off while one of them is suspended.
 *   shutdown: the same for good and at once, for the system goes down; may sleep.
 *   lowmem: frees memory that clients said they do not need; returns pages freed.
 *   stat: the index-th statistic of the device, ENOENT past the last.
 *   file_stat: the same of one open file (its private pointer).
 *   dump: copies up to len bytes from byte off of the crash dump that the device
 *     keeps; returns how many, 0 past its end or without one.  May sleep.  For
 *     the superuser only: it holds memory of a client.
 *   dump_clear: the device keeps no dump any more, and takes the next one.
 * suspend to dump_clear may be NULL.  suspend to dump_clear and detach do not run
 * side by side.
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

/* A tunable of the module (FreeBSD: kenv hw.drmkpi.<name>), or what it is when
 * nobody set it. */
uint64_t drm_os_tunable(struct drm_os *os, const char *name, uint64_t value);

#endif /* _DRM_OS_H_ */
