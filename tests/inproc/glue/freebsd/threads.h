/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of freebsd.h for the files that several threads run: locks and condition variables that
 * work, a clock that tests set, a callout that they fire, a limit of swap. fake_threads.c has the
 * functions.
 */
#ifndef GLUE_THREADS_H
#define	GLUE_THREADS_H

#include <pthread.h>

/* FreeBSD's. */
#undef	EWOULDBLOCK
#undef	ETIMEDOUT
#define	EWOULDBLOCK	35
#define	ETIMEDOUT	60

/* The VM system of fake_vm.h, in the same program, has others. */
#define	drm_os		threads_os
#define	fake_die	threads_die
#define	hz		threads_hz
#define	swap_reserve_by_cred	threads_swap_reserve
#define	swap_release_by_cred	threads_swap_release

typedef int64_t sbintime_t;
#define	SBT_1S		((sbintime_t)1 << 32)
#define	SBT_MAX		INT64_MAX
#define	nstosbt(ns)	((sbintime_t)(((__int128)(ns) << 32) / 1000000000))
#define	sbttons(sbt)	((int64_t)((__int128)(sbt) * 1000000000 >> 32))
sbintime_t fake_uptime(void);
#define	getsbinuptime()	fake_uptime()

struct mtx { pthread_mutex_t m; };
struct sx { struct mtx m; };
struct cv { int unused; };
typedef void callout_func_t(void *);
struct callout {
	callout_func_t *fn;
	void *arg;
	sbintime_t due;
};
/*
 * Places where a test may delay a thread: before a mutex is taken, before the mutex is released to
 * sleep, before and after an atomic operation, in the system's functions for swap.
 */
#define	FAKE_LOCK	0
#define	FAKE_SLEEP	1
#define	FAKE_ATOMIC	2
#define	FAKE_RESERVE	3
#define	FAKE_RELEASE	4
void	fake_step(int place);

void	fake_mtx_init(struct mtx *m);
void	fake_mtx_destroy(struct mtx *m);
void	fake_mtx_lock(struct mtx *m);
bool	fake_mtx_try(struct mtx *m);
void	fake_mtx_unlock(struct mtx *m);
#define	MTX_DEF		0
#define	mtx_init(m, name, type, flags)	((void)(name), fake_mtx_init(m))
#define	mtx_destroy(m)		fake_mtx_destroy(m)
#define	mtx_lock(m)		fake_mtx_lock(m)
#define	mtx_unlock(m)		fake_mtx_unlock(m)
#define	sx_init(s, name)	((void)(name), fake_mtx_init(&(s)->m))
#define	sx_destroy(s)		fake_mtx_destroy(&(s)->m)
#define	sx_xlock(s)		fake_mtx_lock(&(s)->m)
#define	sx_try_xlock(s)		fake_mtx_try(&(s)->m)
#define	sx_xunlock(s)		fake_mtx_unlock(&(s)->m)

#define	C_ABSOLUTE	0x200
int	fake_cv_wait(struct cv *cv, struct mtx *m, bool sig, sbintime_t until);
void	fake_cv_destroy(struct cv *cv);
void	cv_broadcast(struct cv *cv);
#define	cv_init(cv, name)	((void)(name), (void)((cv)->unused = 0))
#define	cv_destroy(cv)		fake_cv_destroy(cv)
#define	cv_wait(cv, m)		((void)fake_cv_wait(cv, m, false, SBT_MAX))
#define	cv_wait_sig(cv, m)	fake_cv_wait(cv, m, true, SBT_MAX)
#define	cv_timedwait_sbt(cv, m, sbt, pr, flags)				\
	fake_cv_wait(cv, m, false, sbt)
#define	cv_timedwait_sig_sbt(cv, m, sbt, pr, flags)			\
	fake_cv_wait(cv, m, true, sbt)

void	callout_reset(struct callout *c, int ticks, callout_func_t *fn, void *arg);
#define	callout_init(c, mpsafe)	((void)((c)->due = 0))
#define	callout_drain(c)	((void)((c)->due = 0))

/* atomic(9) */
uint64_t fake_fetchadd_64(volatile uint64_t *p, uint64_t n);
#define	atomic_fetchadd_64(p, n)	fake_fetchadd_64(p, n)
#define	atomic_subtract_64(p, n)	((void)fake_fetchadd_64(p, -(n)))
#define	atomic_thread_fence_seq_cst() do {				\
	__atomic_thread_fence(__ATOMIC_SEQ_CST);			\
	fake_step(FAKE_ATOMIC);						\
} while (0)
#define	atomic_store_rel_int(p, n) do {					\
	__atomic_store_n(p, n, __ATOMIC_RELEASE);			\
	fake_step(FAKE_ATOMIC);						\
} while (0)
bool	fake_cmpset_int(volatile unsigned int *p, unsigned int old, unsigned int new);
#define	atomic_cmpset_int(p, old, new)	fake_cmpset_int(p, old, new)

/* A thread may be delayed with the value that it has read. */
#define	roundup2(x, y)	({						\
	uint64_t read = (x);						\
	fake_step(FAKE_ATOMIC);						\
	(read + ((y) - 1)) & ~((y) - 1);				\
})
#define	LIST_FOREACH(v, head, field)					\
	for ((v) = (head)->first; (v) != NULL; (v) = (v)->field.next)
struct cdev { void *si_drv1; };
struct knlist { int unused; };

/* Each thread has a process of its own. */
struct thread *fake_thread(void);
#define	curthread	fake_thread()

/* Of two implementations of drm_os.h in one program, this is the other one. */
#define	drm_os_now		fbsd_now
#define	drm_os_mtx_create	fbsd_mtx_create
#define	drm_os_mtx_destroy	fbsd_mtx_destroy
#define	drm_os_mtx_lock		fbsd_mtx_lock
#define	drm_os_mtx_unlock	fbsd_mtx_unlock
#define	drm_os_sx_create	fbsd_sx_create
#define	drm_os_sx_destroy	fbsd_sx_destroy
#define	drm_os_sx_lock		fbsd_sx_lock
#define	drm_os_sx_try		fbsd_sx_try
#define	drm_os_sx_unlock	fbsd_sx_unlock
#define	drm_os_cv_create	fbsd_cv_create
#define	drm_os_cv_destroy	fbsd_cv_destroy
#define	drm_os_cv_wait		fbsd_cv_wait
#define	drm_os_cv_broadcast	fbsd_cv_broadcast
#define	drm_os_pool_get		fbsd_pool_get
#define	drm_os_cred_hold	fbsd_cred_hold
#define	drm_os_cred_free	fbsd_cred_free
#define	drm_os_cred_charge	fbsd_cred_charge
#define	drm_os_cred_uncharge	fbsd_cred_uncharge

#endif /* GLUE_THREADS_H */
