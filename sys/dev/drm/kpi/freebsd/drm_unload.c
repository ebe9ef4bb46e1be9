/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Unloading.  The module's code may be unmapped when no thread is in it and
 * none can enter it.  Most entries are counted by the kernel, and waited for
 * when they are removed: methods of nodes (destroy_dev()), interrupt handlers,
 * tasks, event handlers, sysctls, and page faults (the VM object's paging in
 * progress).  The kernel counts neither the destructor of a cdevpriv, nor that
 * of a VM object, nor any method of a file, so those are counted here:
 *
 *   live	open files of nodes, dma-bufs and sync_files, and buffers, from
 *		before they can be used until their destructor has ended
 *   calls	methods of dma-bufs and sync_files in progress
 *
 * A count kept by the counted code leaves a few instructions uncounted: from
 * the read of the function's address to the increment, and from the decrement
 * to the return.  wait_for_threads() waits for threads that may be there.
 *
 * The kernel reads a knote's kn_fop, a table of this module, again after its
 * f_detach has returned, when it holds the kqueue's lock and no other thread has
 * the knote.  It may wait for either, so that counts as being in those
 * instructions.
 */
#include "drm_glue.h"

#include <sys/eventhandler.h>
#include <sys/linker.h>
#include <sys/module.h>
#include <sys/proc.h>
#include <sys/time.h>

/* Longer than any call takes after its device was detached. */
#define	PATIENCE	(10 * SBT_1S)

MTX_SYSINIT(drm_gate, &drm_os.gate, "drm gate", MTX_DEF);

static eventhandler_tag try_tag;

/* Counts a new open file.  Returns false if the module is being unloaded. */
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
 * MOD_QUIESCE of a module of the file.  The kernel does not pass on whether
 * the unload is forced; it is if MOD_UNLOAD follows in spite of this error.
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
 * The first MOD_UNLOAD closes the gate, or fails if a file was opened after
 * MOD_QUIESCE; the following ones find it closed.
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

struct running {
	lwpid_t	 tid;
	long	 switches;
	bool	 kernel;
};

/* Whether a thread runs, may run, or waits in a place that is reached from here. */
static bool
may_be_here(const struct thread *td)
{

	return (TD_ON_RUNQ(td) || TD_IS_RUNNING(td) || TD_CAN_RUN(td) ||
	    TD_ON_LOCK(td) || (TD_ON_SLEEPQ(td) && td->td_wmesg != NULL &&
	    strcmp(td->td_wmesg, "kqflxwt") == 0));
}

/*
 * Records the threads that may be in this module; *n is the size of the list on
 * entry and the number of threads on return.
 */
static void
threads_find(struct running *list, u_int *n)
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
			if (may_be_here(td)) {
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
 * Whether a thread has neither slept nor been in user mode since then.  A kernel
 * thread that waited for a lock counts as having slept: such threads close no
 * kqueue and remove no knote.
 */
static bool
thread_is_still_there(const struct running *running)
{
	struct thread *td;
	bool still;

	td = tdfind(running->tid, -1);
	if (td == NULL)
		return (false);
	thread_lock(td);
	still = may_be_here(td) && (running->kernel ?
	    td->td_ru.ru_nvcsw == running->switches :
	    td_ast_pending(td, TDA_AST));
	thread_unlock(td);
	PROC_UNLOCK(td->td_proc);
	return (still);
}

/*
 * Waits until every thread has slept, been in user mode, or exited.  None of
 * them is then in the uncounted instructions, which only sleep in ways that
 * may_be_here() knows.  An AST that does nothing detects the return to user
 * mode; preemption is not a sleep and
 * does not count.
 */
static int
wait_for_threads(sbintime_t end)
{
	struct running *list;
	u_int i, n, room;

	for (room = 64;; room = n + 64) {
		list = mallocarray(room, sizeof(*list), M_DRM, M_WAITOK);
		n = room;
		threads_find(list, &n);
		if (n <= room)
			break;
		free(list, M_DRM);
	}
	for (i = 0; i < n; i++) {
		while (thread_is_still_there(&list[i]) && getsbinuptime() < end)
			pause("drmpas", 1);
		if (thread_is_still_there(&list[i]))
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
 * Revokes what users still have, after all devices are detached: files become
 * dead files of the kernel, and mappings lose their memory.
 */
static int
revoke_users(void)
{
	sbintime_t end;
	int error;

	end = getsbinuptime() + PATIENCE;
	drm_linux_uninit();
	drm_files_revoke();
	/* Threads that have read the table of methods are counted then. */
	error = wait_for_threads(end);
	if (error == 0)
		error = wait_for_none(&drm_os.calls, end);
	if (error != 0)
		return (error);
	drm_files_release();
	error = drm_objects_revoke(end);
	if (error == 0)
		error = wait_for_none(&drm_os.live, end);
	if (error == 0)
		error = wait_for_threads(end);
	return (error);
}

/*
 * MOD_LOAD and MOD_UNLOAD of a module of the file.  The last MOD_UNLOAD
 * revokes what users have; if a thread does not leave the module's
 * code, the file stays, and kldunload(8) may be repeated.
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
		/* The handler of the last module has been called already. */
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
			error = revoke_users();
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
