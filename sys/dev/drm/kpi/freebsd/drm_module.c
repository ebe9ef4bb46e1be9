/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The module drmkpi: the instance, its queues, and the event of low memory.
 */
#include "drm_glue.h"

#include <sys/module.h>
#include <sys/eventhandler.h>
#include <sys/priority.h>
#include <sys/proc.h>
#include <sys/taskqueue.h>
#include <sys/vmmeter.h>
#include <vm/vm.h>
#include <vm/vm_param.h>
#include <vm/vm_page.h>
#include <vm/vm_phys.h>
#include <vm/vm_pagequeue.h>

struct drm_os drm_os;

static eventhandler_tag lowmem_tag;
static struct task lowmem_task;

/*
 * The page daemon must not wait for a lock that is held while waiting for
 * memory, so the drivers are called in a thread that may; its own one, because
 * those of the drivers may be busy for long.
 */
static void
lowmem(void *arg __unused, int flags __unused)
{

	taskqueue_enqueue(drm_os.lowmem, &lowmem_task);
}

static void
lowmem_run(void *arg __unused, int pending __unused)
{
	struct drm_os_dev *dev;
	uint64_t pages;
	int domain, target;

	pages = 0;
	for (domain = 0; domain < vm_ndomains; domain++) {
		target = vm_paging_target(VM_DOMAIN(domain));
		if (target > 0)
			pages += target;
	}
	/* The event may precede the shortage. */
	pages = MAX(pages, 256);
	sx_slock(&drm_os.devs_lock);
	TAILQ_FOREACH(dev, &drm_os.devs, link) {
		/* A device that is being detached frees all of its memory. */
		if (!sx_try_slock(&dev->lock))
			continue;
		if (dev->softc != NULL && dev->driver->lowmem != NULL)
			(void)dev->driver->lowmem(dev->softc, pages);
		/* What that has freed, too. */
		drm_page_cache_trim(&dev->page_cache);
		sx_sunlock(&dev->lock);
	}
	sx_sunlock(&drm_os.devs_lock);
}

static void
queue_create(const char *name, struct taskqueue **tqp)
{

	*tqp = taskqueue_create(name, M_WAITOK, taskqueue_thread_enqueue, tqp);
	/* It fails only for lack of memory. */
	while (taskqueue_start_threads(tqp, 1, PWAIT, "%s", name) != 0)
		pause("drmque", hz / 10);
}

static void
drm_init(void *arg __unused)
{

	drm_malloc_init();
	drm_locks_init();
	sx_init(&drm_os.devs_lock, "drm devices");
	TAILQ_INIT(&drm_os.devs);
	drm_objects_init();
	queue_create("drm notes", &drm_os.notes);
	queue_create("drm lowmem", &drm_os.lowmem);
	TASK_INIT(&lowmem_task, 0, lowmem_run, NULL);
	drm_linux_init();
	drm_newbus_init();
	drm_unload_init();
	lowmem_tag = EVENTHANDLER_REGISTER(vm_lowmem, lowmem, NULL,
	    EVENTHANDLER_PRI_FIRST);
}
SYSINIT(drm_init, SI_SUB_DRIVERS, SI_ORDER_FIRST, drm_init, NULL);

/*
 * After all modules of the file are unloaded; drm_unload.c has revoked what
 * users had.
 */
static void
drm_uninit(void *arg __unused)
{

	EVENTHANDLER_DEREGISTER(vm_lowmem, lowmem_tag);
	taskqueue_drain(drm_os.lowmem, &lowmem_task);
	taskqueue_free(drm_os.lowmem);
	taskqueue_free(drm_os.notes);
	drm_unload_uninit();
	drm_newbus_uninit();
	drm_linux_uninit();
	drm_objects_uninit();
	sx_destroy(&drm_os.devs_lock);
	drm_locks_uninit();
	drm_malloc_uninit();
}
SYSUNINIT(drm_init, SI_SUB_DRIVERS, SI_ORDER_FIRST, drm_uninit, NULL);

static int
system_modevent(module_t mod __unused, int what, void *arg __unused)
{

	switch (what) {
	case MOD_LOAD:
	case MOD_UNLOAD:
	case MOD_QUIESCE:
	case MOD_SHUTDOWN:
		return (0);
	default:
		return (EOPNOTSUPP);
	}
}

static int
drm_modevent(module_t mod, int what, void *arg)
{

	return (drm_unload_modevent(mod, what, arg, system_modevent));
}

static moduledata_t drm_mod = { "drmkpi", drm_modevent, NULL };
DECLARE_MODULE(drmkpi, drm_mod, SI_SUB_DRIVERS, SI_ORDER_SECOND);
MODULE_VERSION(drmkpi, 1);
