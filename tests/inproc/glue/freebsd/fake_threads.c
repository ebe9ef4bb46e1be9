/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The functions of threads.h. A condition variable has no spurious wakeups, and time passes
 * only when a test says so. A call that would panic a kernel aborts the process.
 */
#include "drm_glue.h"
#include "fake_threads.h"

/* Of drm_node.c: struct drm_os_minor and the functions that drm_lock.c is used with. */
#include "drm_minor.c"

#undef	malloc
#undef	free

struct sleeper {
	struct sleeper *next;
	struct cv *cv;
	sbintime_t until;
	int error;
	bool sig, asleep;
};

struct drm_os drm_os;
int hz = 1000;
/* Protects the next ones, as a sleep queue's lock does: taken last. */
static pthread_mutex_t queue = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wakeup = PTHREAD_COND_INITIALIZER;
static struct sleeper *sleepers;
static sbintime_t now = 1000 * SBT_1S;
static struct fake_threads_counts counts;

static struct callout *armed;
static uint64_t swap_limit, swap_used;
static void (*on_step)(int);

void
fake_die(const char *what)
{

	fprintf(stderr, "fake_threads: %s\n", what);
	abort();
}

void
fake_on_step(void (*fn)(int))
{

	__atomic_store_n(&on_step, fn, __ATOMIC_SEQ_CST);
}

void
fake_step(int place)
{
	void (*fn)(int) = __atomic_load_n(&on_step, __ATOMIC_SEQ_CST);

	if (fn != NULL)
		fn(place);
}

static void
check(int error, const char *what)
{

	if (error != 0)
		fake_die(what);
}

static void
queue_lock(void)
{

	check(pthread_mutex_lock(&queue), "queue");
}

static void
queue_unlock(void)
{

	check(pthread_mutex_unlock(&queue), "queue");
}

void
fake_mtx_init(struct mtx *m)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	check(pthread_mutex_init(&m->m, &attr), "mtx_init");
}

void
fake_mtx_destroy(struct mtx *m)
{

	check(pthread_mutex_destroy(&m->m), "a mutex is held");
}

void
fake_mtx_lock(struct mtx *m)
{

	fake_step(FAKE_LOCK);
	check(pthread_mutex_lock(&m->m), "a mutex is taken twice");
}

bool
fake_mtx_try(struct mtx *m)
{

	return (pthread_mutex_trylock(&m->m) == 0);
}

void
fake_mtx_unlock(struct mtx *m)
{

	check(pthread_mutex_unlock(&m->m), "the mutex is not held");
}

/* Wakes whom cv, the time or a signal concerns: all those asleep for which that is so. */
static void
wake(struct cv *cv, bool due, bool sig, int error)
{
	struct sleeper **at, *s;

	for (at = &sleepers; (s = *at) != NULL;) {
		if (s->cv != cv && !(due && s->until <= now) && !(sig && s->sig)) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		s->asleep = false;
		s->error = error;
		counts.asleep--;
		counts.timed -= s->until != SBT_MAX;
	}
	pthread_cond_broadcast(&wakeup);
}

int
fake_cv_wait(struct cv *cv, struct mtx *m, bool sig, sbintime_t until)
{
	struct sleeper s = { NULL, cv, until, 0, sig, true };

	fake_step(FAKE_SLEEP);
	queue_lock();
	s.next = sleepers;
	sleepers = &s;
	counts.sleeps++;
	counts.asleep++;
	counts.timed += until != SBT_MAX;
	fake_mtx_unlock(m);
	/* It may have passed while this thread came here. */
	wake(NULL, true, false, EWOULDBLOCK);
	while (s.asleep)
		pthread_cond_wait(&wakeup, &queue);
	queue_unlock();
	fake_mtx_lock(m);
	return (s.error);
}

void
cv_broadcast(struct cv *cv)
{

	queue_lock();
	wake(cv, false, false, 0);
	queue_unlock();
}

void
fake_cv_destroy(struct cv *cv)
{
	struct sleeper *s;

	queue_lock();
	for (s = sleepers; s != NULL; s = s->next)
		KASSERT(s->cv != cv, "a thread sleeps on it");
	queue_unlock();
}

/* All threads that can be interrupted have a signal. */
void
fake_interrupt(void)
{

	queue_lock();
	wake(NULL, false, true, EINTR);
	queue_unlock();
}

/* The clock; sets it first if `to` is later. Wakes those whose time has come. */
uint64_t
fake_clock(uint64_t to)
{
	uint64_t ns;

	queue_lock();
	if (nstosbt(to) + 1 > now)
		now = nstosbt(to) + 1;
	wake(NULL, true, false, EWOULDBLOCK);
	ns = sbttons(now);
	queue_unlock();
	return (ns);
}

uint64_t
drm_os_now(struct drm_os *os __unused)
{

	return (fake_clock(0));
}

/* As the kernel's: late by up to a tick. */
sbintime_t
fake_uptime(void)
{
	sbintime_t sbt;

	queue_lock();
	sbt = now - now % (SBT_1S / hz);
	queue_unlock();
	return (sbt);
}

void
callout_reset(struct callout *c, int ticks, callout_func_t *fn, void *arg)
{

	queue_lock();
	KASSERT(armed == NULL, "the callout is armed already");
	c->fn = fn;
	c->arg = arg;
	c->due = now + SBT_1S * ticks / hz;
	armed = c;
	counts.armed = sbttons(c->due);
	counts.resets++;
	queue_unlock();
}

/* Fires the callout if it is armed. */
bool
fake_tick(void)
{
	struct callout *c;

	queue_lock();
	c = armed;
	armed = NULL;
	counts.armed = 0;
	queue_unlock();
	if (c != NULL)
		c->fn(c->arg);
	return (c != NULL);
}

struct fake_threads_counts
fake_threads_counts(void)
{
	struct fake_threads_counts copy;
	struct sleeper *s;

	queue_lock();
	copy = counts;
	copy.first = UINT64_MAX;
	for (s = sleepers; s != NULL; s = s->next) {
		if (s->until != SBT_MAX)
			copy.first = MIN(copy.first, (uint64_t)sbttons(s->until));
	}
	copy.swap = swap_used;
	queue_unlock();
	return (copy);
}

uint64_t
fake_fetchadd_64(volatile uint64_t *p, uint64_t n)
{
	uint64_t old;

	fake_step(FAKE_ATOMIC);
	old = __atomic_fetch_add(p, n, __ATOMIC_RELAXED);
	fake_step(FAKE_ATOMIC);
	return (old);
}

bool
fake_cmpset_int(volatile u_int *p, u_int old, u_int new)
{
	bool done;

	done = __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_RELAXED,
	    __ATOMIC_RELAXED);
	fake_step(FAKE_ATOMIC);
	return (done);
}

static __thread struct proc proc;
static __thread struct thread thread;

struct thread *
fake_thread(void)
{

	thread.td_proc = &proc;
	thread.td_ucred = (struct ucred *)&swap_limit;
	return (&thread);
}

/* Whether this thread is one of a kernel process. */
void
fake_kernel_process(bool is)
{

	proc.p_flag = is ? P_KPROC : 0;
}

void
fake_swap_limit(uint64_t bytes)
{

	queue_lock();
	swap_limit = bytes;
	swap_used = 0;
	queue_unlock();
}

bool
swap_reserve_by_cred(vm_ooffset_t size, struct ucred *cred __unused)
{
	bool fits;

	KASSERT((curproc->p_flag & P_KPROC) == 0, "a kernel process is charged");
	KASSERT(size > 0 && size % PAGE_SIZE == 0, "a size that is no pages");
	fake_step(FAKE_RESERVE);
	queue_lock();
	fits = size <= swap_limit && swap_used <= swap_limit - size;
	if (fits)
		swap_used += size;
	queue_unlock();
	return (fits);
}

void
swap_release_by_cred(vm_ooffset_t size, struct ucred *cred __unused)
{

	KASSERT(size > 0 && size % PAGE_SIZE == 0, "a size that is no pages");
	fake_step(FAKE_RELEASE);
	queue_lock();
	KASSERT(size <= swap_used, "more is released than was reserved");
	swap_used -= size;
	queue_unlock();
}

/* A node; `caller` makes calls on it. */
struct drm_os_minor *
fake_minor(void)
{
	struct drm_os_minor *minor = calloc(1, sizeof(*minor));

	mtx_init(&minor->lock, "drm minor", NULL, MTX_DEF);
	LIST_INIT(&minor->waiting);
	return (minor);
}

/* What devfs calls while the node is being destroyed. */
void
fake_purge(struct drm_os_minor *minor)
{
	struct cdev cdev = { minor };

	node_purge(&cdev);
}

void
fake_minor_free(struct drm_os_minor *minor)
{

	KASSERT(LIST_FIRST(&minor->waiting) == NULL, "a thread waits");
	mtx_destroy(&minor->lock);
	free(minor);
}

struct drm_os_caller *
fake_threads_caller(struct drm_os_minor *minor)
{
	struct drm_os_caller *caller = calloc(1, sizeof(*caller));

	drm_caller_init(caller, curthread, minor);
	return (caller);
}

void
fake_threads_caller_free(struct drm_os_caller *caller)
{

	free(caller);
}
