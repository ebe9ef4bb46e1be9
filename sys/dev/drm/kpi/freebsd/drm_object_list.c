/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The list of all objects, and how kldunload(8) revokes those that only users'
 * mappings hold.
 */
#include "drm_glue.h"

#include <sys/rwlock.h>
#include <sys/refcount.h>
#include <sys/time.h>
#include <vm/vm.h>
#include <vm/vm_param.h>
#include <vm/pmap.h>
#include <vm/vm_object.h>
#include <vm/vm_page.h>
#include <vm/vm_pager.h>
#include <vm/vm_radix.h>

#include "drm_object.h"

static LIST_HEAD(, drm_os_object) objects;
static struct mtx objects_lock;

void
drm_objects_init(void)
{

	LIST_INIT(&objects);
	mtx_init(&objects_lock, "drm objects", NULL, MTX_DEF);
}

void
drm_object_publish(struct drm_os_object *obj, struct drm_os_dev *dev)
{

	drm_dev_hold(dev);
	obj->dev = dev;
	atomic_add_int(&drm_os.live, 1);
	mtx_lock(&objects_lock);
	LIST_INSERT_HEAD(&objects, obj, link);
	mtx_unlock(&objects_lock);
}

void
drm_object_free(struct drm_os_object *obj)
{

	mtx_lock(&objects_lock);
	LIST_REMOVE(obj, link);
	mtx_unlock(&objects_lock);
	drm_dev_release(obj->dev);
	free(obj, M_DRM);
	atomic_subtract_int(&drm_os.live, 1);
}

/*
 * Leaves the VM object to the VM system: unwires the pages that it still has.
 */
static void
object_unwire_all(vm_object_t vm)
{
	struct pctrie_iter pages;
	vm_page_t m;

	VM_OBJECT_ASSERT_WLOCKED(vm);
	vm_object_clear_flag(vm, OBJ_PG_DTOR);
	vm_page_iter_init(&pages, vm);
	VM_RADIX_FOREACH(m, &pages)
		vm_page_unwire(m, PQ_ACTIVE);
}

/*
 * Revokes the objects that are left, which only users' mappings hold.  A VM
 * object without its pager is dead, and does not call this module when it is
 * freed.  A fault within its size would map a page of zeroes, because the dead
 * pager has no pages; beyond its size it is a SIGBUS.  Pages that mlock(2) has
 * wired stay, as cached memory of no device, until they are unlocked or
 * unmapped; then the VM system frees them.  Returns EBUSY if
 * some are left at the end of the time; then it may be called again.  No lock is
 * held from one object to the next.
 */
int
drm_objects_revoke(sbintime_t end)
{
	struct drm_os_object *obj;
	vm_object_t vm;

	for (;;) {
		mtx_lock(&objects_lock);
		obj = LIST_FIRST(&objects);
		vm = obj == NULL ? NULL : obj->vm;
		/* One without references is being freed. */
		if (vm != NULL && !refcount_acquire_if_not_zero(&vm->ref_count))
			vm = NULL;
		mtx_unlock(&objects_lock);
		if (obj == NULL)
			return (0);
		if (getsbinuptime() >= end) {
			if (vm != NULL)
				vm_object_deallocate(vm);
			return (EBUSY);
		}
		if (vm == NULL) {
			pause("drmrvk", 1);
			continue;
		}
		VM_OBJECT_WLOCK(vm);
		/* Waits for faults in the pager; no new ones begin. */
		obj->purged = true;
		vm_object_pip_wait(vm, "drmrvk");
		vm_object_clear_flag(vm, OBJ_POPULATE);
		vm->size = 0;
		/* This calls object_dtor(), which frees obj. */
		vm_pager_deallocate(vm);
		object_unwire_all(vm);
		VM_OBJECT_WUNLOCK(vm);
		vm_object_deallocate(vm);
	}
}

void
drm_objects_uninit(void)
{

	mtx_destroy(&objects_lock);
}
