/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Unloading.  The module's code may go when no thread is in it and none can get
 * into it.  What the kernel counts by itself, in code of its own, is waited for
 * by the calls that take our pointers away: methods of nodes (destroy_dev()),
 * interrupt handlers, tasks, event handlers, sysctls, and page faults (the VM
 * object's paging in progress).  It counts neither the destructor of a
 * cdevpriv, nor that of a VM object, nor any method of a file, so those are
 * counted here:
 *
 *   live	open files of nodes, dma-bufs and sync_files, and buffers, from
 *		before anybody can reach them until their destructor is over
 *   calls	methods of dma-bufs and sync_files under way
 *
 * A count kept by the counted code leaves a few instructions uncounted: from
 * reading our function's address to the increment, and from the decrement to
 * the return.  elsewhere() waits for threads that may be there.
 *
 * The kernel reads a note's kn_fop, a table of ours, once more after its
 * f_detach has returned, when it has the lock of the kqueue and nobody else has
 * the note.  It may have to wait for either, so that is not elsewhere.
 */
#include "drm_glue.h"

#include <sys/eventhandler.h>
#include <sys/linker.h>
#include <sys/module.h>
#include <sys/proc.h>
#include <sys/time.h>

/* Longer than any wait of a call that a detached device ends. */
#define	PATIENCE	(10 * SBT_1S)

MTX_SYSINIT(drm_gate, &drm_os.gate, "drm gate", MTX_DEF);

static eventhandler_tag try_tag;

/* A new open file is counted, unless the module is about to go. */
bool
drm_unload_enter(void)
{
	bool open;

	mtx_lock(&drm_os.gate);
	open = !drm_os.closed;
	if (open)
		atomic_add_int(&drm_os.live, 1);
	mtx_unlock(&drm_os.gate);
	return (open);
}

/*
 * MOD_QUIESCE of a module of the file.  The kernel does not say whether the
 * unload is forced; it is if MOD_UNLOAD comes in spite of this error.
 */
static int
quiesced(int error)
{

	if (error == 0 && (drm_os.live != 0 || drm_os.calls != 0))
		error = EBUSY;
	if (error != 0)
		drm_os.forced = true;
	return (error);
}

static void
unload_try(void *arg __unused, linker_file_t file __unused,
    int *error __unused)
{

	drm_os.forced = false;
}

/*
 * The first MOD_UNLOAD closes the gate, or fails if an open came after
 * MOD_QUIESCE; those that follow find it closed.
 */
static int
gate_close(void)
{
	int error;

	error = 0;
	mtx_lock(&drm_os.gate);
	if (!drm_os.closed && !drm_os.forced && drm_os.live != 0)
		error = EBUSY;
	else
		drm_os.closed = true;
	mtx_unlock(&drm_os.gate);
	return (error);
}

struct passing {
	lwpid_t	 tid;
	long	 switches;
	bool	 kernel;
};

/* Whether a thread runs or would, or waits where it may be with us. */
static bool
passing_here(const struct thread *td)
{

	return (TD_ON_RUNQ(td) || TD_IS_RUNNING(td) || TD_CAN_RUN(td) ||
	    TD_ON_LOCK(td) || (TD_ON_SLEEPQ(td) && td->td_wmesg != NULL &&
	    strcmp(td->td_wmesg, "kqflxwt") == 0));
}

/*
 * Writes down the threads that are not elsewhere; *n is how many there is room
 * for and then how many there are.
 */
static void
passing_find(struct passing *list, u_int *n)
{
	struct proc *p;
	struct thread *td;
	u_int found;

	found = 0;
	sx_slock(&allproc_lock);
	FOREACH_PROC_IN_SYSTEM(p) {
		PROC_LOCK(p);
		FOREACH_THREAD_IN_PROC(p, td) {
			if (td == curthread || TD_IS_IDLETHREAD(td))
				continue;
			thread_lock(td);
			if (passing_here(td)) {
				if (found < *n) {
					list[found].tid = td->td_tid;
					list[found].switches =
					    td->td_ru.ru_nvcsw;
					list[found].kernel =
					    (td->td_pflags & TDP_KTHREAD) != 0;
					if (!list[found].kernel)
						ast_sched_locked(td, TDA_AST);
				}
				found++;
			}
			thread_unlock(td);
		}
		PROC_UNLOCK(p);
	}
	sx_sunlock(&allproc_lock);
	*n = found;
}

/*
 * Whether a thread has neither slept nor been in user mode since.  One of the
 * kernel's that had to wait for a lock counts as having slept: such threads
 * close no kqueue and take no note away.
 */
static bool
passing_still(const struct passing *passing)
{
	struct thread *td;
	bool still;

	td = tdfind(passing->tid, -1);
	if (td == NULL)
		return (false);
	thread_lock(td);
	still = passing_here(td) && (passing->kernel ?
	    td->td_ru.ru_nvcsw == passing->switches :
	    td_ast_pending(td, TDA_AST));
	thread_unlock(td);
	PROC_UNLOCK(td->td_proc);
	return (still);
}

/*
 * Waits until every thread has been seen asleep or in user mode, or is gone.
 * One that was between the kernel's code and a count of ours is not any more,
 * for nothing sleeps there but as passing_here() knows.  That a thread returns
 * to user mode is seen by an AST that does nothing; preemption is no sleep and
 * does not count.
 */
static int
elsewhere(sbintime_t end)
{
	struct passing *list;
	u_int i, n, room;

	for (room = 64;; room = n + 64) {
		list = mallocarray(room, sizeof(*list), M_DRM, M_WAITOK);
		n = room;
		passing_find(list, &n);
		if (n <= room)
			break;
		free(list, M_DRM);
	}
	for (i = 0; i < n; i++) {
		while (passing_still(&list[i]) && getsbinuptime() < end)
			pause("drmpas", 1);
		if (passing_still(&list[i]))
			break;
	}
	free(list, M_DRM);
	return (i < n ? EBUSY : 0);
}

static int
wait_for_none(volatile u_int *count, sbintime_t end)
{

	while (atomic_load_acq_int(count) != 0) {
		if (getsbinuptime() >= end)
			return (EBUSY);
		pause("drmbsy", 1);
	}
	return (0);
}

/*
 * All devices are detached.  What users still have of ours becomes the
 * kernel's own dead files and mappings without memory.
 */
static int
leave(void)
{
	sbintime_t end;
	int error;

	end = getsbinuptime() + PATIENCE;
	drm_linux_uninit();
	drm_files_disown();
	/* Who had read our table of methods has entered, and is counted. */
	error = elsewhere(end);
	if (error == 0)
		error = wait_for_none(&drm_os.calls, end);
	if (error != 0)
		return (error);
	drm_files_release();
	error = drm_objects_revoke(end);
	if (error == 0)
		error = wait_for_none(&drm_os.live, end);
	if (error == 0)
		error = elsewhere(end);
	return (error);
}

/*
 * MOD_LOAD and MOD_UNLOAD of a module of the file.  With the last of them go
 * the users; if one of those does not come out of our code the file stays, and
 * kldunload(8) may be tried again.
 */
int
drm_unload_modevent(module_t mod, int what, void *arg, modeventhand_t handler)
{
	int error;

	switch (what) {
	case MOD_LOAD:
		error = handler(mod, what, arg);
		if (error == 0)
			drm_os.modules++;
		return (error);
	case MOD_QUIESCE:
		/* The handler of the last one has been called already. */
		return (quiesced(drm_os.leaving ? 0 :
		    handler(mod, what, arg)));
	case MOD_UNLOAD:
		error = gate_close();
		if (error != 0)
			return (error);
		if (!drm_os.leaving)
			error = handler(mod, what, arg);
		if (error != 0) {
			drm_os.closed = false;
			return (error);
		}
		if (drm_os.modules == 1) {
			drm_os.leaving = true;
			error = leave();
			if (error != 0) {
				printf("drm: still in use, not unloaded\n");
				return (error);
			}
		}
		drm_os.modules--;
		return (0);
	default:
		return (handler(mod, what, arg));
	}
}

void
drm_unload_init(void)
{

	try_tag = EVENTHANDLER_REGISTER(kld_unload_try, unload_try, NULL,
	    EVENTHANDLER_PRI_ANY);
}

void
drm_unload_uninit(void)
{

	EVENTHANDLER_DEREGISTER(kld_unload_try, try_tag);
}
