/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Objects: the memory of buffers.
 *
 * An object is the VM object of a managed device pager, with a drm_os_object
 * as its handle.  Its pages are wired while they are in it, so they do not
 * move while the GPU maps them; they are managed, so all of their mappings can
 * be removed.  The references of drm_os.h are those of the VM object; a
 * mapping holds one, too.
 *
 * The pages of a WRITE_COMBINE object are mapped uncached, and the attribute
 * is set in the page only: pmap_page_set_memattr(9) would split blocks of the
 * direct map by break-before-make, while other processors use them.  So the
 * direct map keeps a cached alias; run_claim() and drm_page_restore() ensure
 * that no line of that alias is dirty while the page is uncached, and none
 * stale afterwards.  docs/design.md explains why that is correct.
 *
 * A page that something else has wired stays in the VM object, where
 * munlock(2) searches for the pages that mlock(2) has wired.
 *
 * Objects that a process makes are charged to its user as anonymous memory:
 * RLIMIT_SWAP, racct(4)'s swapuse and vm.overcommit apply.  While their pages
 * are wired here, they count in vm.max_user_wired, as those that mlock(2) has
 * wired.
 */
#include "drm_glue.h"

#include <sys/proc.h>
#include <sys/rwlock.h>
#include <sys/refcount.h>
#include <sys/ucred.h>
#include <vm/vm.h>
#include <vm/vm_param.h>
#include <vm/pmap.h>
#include <vm/vm_extern.h>
#include <vm/vm_kern.h>
#include <vm/vm_object.h>
#include <vm/vm_page.h>
#include <vm/vm_pager.h>

#include "drm_object.h"

/* Handles a user's fault on a page that is not allocated. */
static int
object_populate(vm_object_t vm, vm_pindex_t pindex, int fault_type __unused,
    vm_prot_t max_prot __unused, vm_pindex_t *first, vm_pindex_t *last)
{
	struct drm_os_object *obj;
	vm_page_t m;

	obj = vm->handle;
	/* Then object_fault() makes it a SIGBUS. */
	if (drm_object_page_get(obj, pindex, &m) != 0)
		return (VM_PAGER_BAD);
	*first = *last = pindex;
	return (VM_PAGER_OK);
}

/*
 * Called instead of object_populate() once a process has made a copy-on-write
 * mapping (minherit(2)) of the object: the VM system has inserted a busy page,
 * which is replaced by one of the object.  A purged object has none.
 */
static int
object_fault(vm_object_t vm, vm_ooffset_t offset __unused, int prot __unused,
    vm_page_t *mres)
{
	struct drm_os_object *obj;
	vm_page_t m;
	u_long n;
	int order;

	obj = vm->handle;
	if (obj->purged)
		return (VM_PAGER_BAD);
	n = 1;
	order = 0;
	VM_OBJECT_WUNLOCK(vm);
	m = drm_pages_get(obj, &n, &order);
	VM_OBJECT_WLOCK(vm);
	if (m == NULL)
		return (VM_PAGER_BAD);
	if (obj->purged) {
		drm_pages_discard(obj, m, 1);
		return (VM_PAGER_BAD);
	}
	vm_page_busy_acquire(m, 0);
	vm_page_replace(m, vm, (*mres)->pindex, *mres);
	*mres = m;
	return (VM_PAGER_OK);
}

static int
object_charge(struct drm_os_object *obj)
{

	if ((curproc->p_flag & P_KPROC) != 0)
		return (0);
	if (!swap_reserve_by_cred(ptoa(obj->pages), curthread->td_ucred))
		return (ENOMEM);
	obj->cred = crhold(curthread->td_ucred);
	obj->counted = true;
	return (0);
}

static void
object_uncharge(struct drm_os_object *obj)
{

	if (obj->cred == NULL)
		return;
	swap_release_by_cred(ptoa(obj->pages), obj->cred);
	crfree(obj->cred);
}

static int
object_ctor(void *handle __unused, vm_ooffset_t size __unused,
    vm_prot_t prot __unused, vm_ooffset_t foff __unused,
    struct ucred *cred __unused, u_short *color)
{

	*color = 0;
	return (0);
}

static void
object_dtor(void *handle)
{
	struct drm_os_object *obj = handle;

	VM_OBJECT_WLOCK(obj->vm);
	/* Without references there is no mapping to be unlocked. */
	drm_object_pages_free(obj, (obj->vm->flags & OBJ_DEAD) == 0);
	/* object_unwire_all() unwires the others. */
	drm_wired_sub(obj, obj->vm->resident_page_count);
	VM_OBJECT_WUNLOCK(obj->vm);
	object_uncharge(obj);
	drm_object_free(obj);
}

/* May be called during and after object_dtor(). */
static void
object_path(void *handle __unused, char *path, size_t len)
{

	strlcpy(path, "drm", len);
}

static const struct cdev_pager_ops object_ops = {
	.cdev_pg_populate = object_populate,
	.cdev_pg_fault = object_fault,
	.cdev_pg_ctor =	object_ctor,
	.cdev_pg_dtor =	object_dtor,
	.cdev_pg_path =	object_path,
};

int
drm_os_object_create(struct drm_os_dev *dev, uint64_t size, uint32_t attr,
    struct drm_os_object **objp)
{
	struct drm_os_object *obj;

	if (size == 0 || (size & PAGE_MASK) != 0 ||
	    (attr != DRM_OS_MEM_CACHED && attr != DRM_OS_MEM_WRITE_COMBINE))
		return (EINVAL);
	obj = malloc(sizeof(*obj), M_DRM, M_WAITOK | M_ZERO);
	obj->pages = atop(size);
	/* VM_MEMATTR_WRITE_COMBINING is write-through on arm64. */
	obj->attr = attr == DRM_OS_MEM_WRITE_COMBINE ?
	    VM_MEMATTR_UNCACHEABLE : VM_MEMATTR_DEFAULT;
	if (object_charge(obj) != 0) {
		free(obj, M_DRM);
		return (ENOMEM);
	}
	obj->vm = cdev_pager_allocate(obj, OBJT_MGTDEVICE, &object_ops, size,
	    VM_PROT_READ | VM_PROT_WRITE, 0, NULL);
	if (obj->vm == NULL) {
		object_uncharge(obj);
		free(obj, M_DRM);
		return (ENOMEM);
	}
	VM_OBJECT_WLOCK(obj->vm);
	/* object_dtor() frees its pages. */
	vm_object_set_flag(obj->vm, OBJ_PG_DTOR);
	/* They are real memory: munlock(2) undoes mlock(2). */
	vm_object_clear_flag(obj->vm, OBJ_FICTITIOUS);
	VM_OBJECT_WUNLOCK(obj->vm);
	drm_object_publish(obj, dev);
	*objp = obj;
	return (0);
}

void
drm_os_object_ref(struct drm_os_object *obj)
{

	if (obj->vm != NULL)
		vm_object_reference(obj->vm);
	else
		refcount_acquire(&obj->refs);
}

void
drm_os_object_unref(struct drm_os_object *obj)
{

	if (obj->vm != NULL)
		vm_object_deallocate(obj->vm);
	else
		drm_userptr_unref(obj);
}

/*
 * The VM object, for a mapping of a process.  Without one, no page of it has
 * mappings.
 */
struct vm_object *
drm_object_vm(struct drm_os_object *obj)
{

	/* The lock orders this before all faults. */
	obj->exposed = true;
	return (obj->vm);
}

int
drm_os_object_wire(struct drm_os_object *obj, uint64_t first, uint64_t count,
    uint64_t *pa)
{
	uint64_t i;
	int error;

	if (first > obj->pages || count > obj->pages - first)
		return (EINVAL);
	if (obj->vm == NULL) {
		for (i = 0; i < count; i++)
			pa[i] = VM_PAGE_TO_PHYS(obj->held[first + i]);
		return (0);
	}
	VM_OBJECT_WLOCK(obj->vm);
	error = drm_object_pages_get(obj, first, count, pa, NULL);
	VM_OBJECT_WUNLOCK(obj->vm);
	return (error);
}

int
drm_os_object_purge(struct drm_os_object *obj)
{
	int error;

	if (obj->vm == NULL)
		return (EBUSY);
	error = EBUSY;
	VM_OBJECT_WLOCK(obj->vm);
	if (obj->kmaps == 0 && !drm_object_is_wired_elsewhere(obj->vm)) {
		obj->purged = true;
		/*
		 * I/O may wire a page, without the lock of the object, until
		 * its last mapping is removed, and keeps it then; it does not
		 * search for it in the object.
		 */
		drm_object_pages_free(obj, false);
		error = 0;
	}
	VM_OBJECT_WUNLOCK(obj->vm);
	return (error);
}

uint64_t
drm_os_object_resident(struct drm_os_object *obj)
{

	return (obj->vm == NULL ? obj->pages : obj->vm->resident_page_count);
}

int
drm_os_object_kmap(struct drm_os_object *obj, void **kva)
{
	vm_offset_t fresh;
	vm_page_t *ma;
	int error;

	if (obj->vm == NULL)
		return (EINVAL);
	ma = mallocarray(obj->pages, sizeof(*ma), M_DRM, M_WAITOK);
	fresh = kva_alloc(ptoa(obj->pages));
	if (fresh == 0) {
		free(ma, M_DRM);
		return (ENOMEM);
	}
	VM_OBJECT_WLOCK(obj->vm);
	error = drm_object_pages_get(obj, 0, obj->pages, NULL, ma);
	/* All users share one mapping. */
	if (error == 0 && obj->kmaps++ == 0) {
		pmap_qenter(fresh, ma, obj->pages);
		obj->kva = fresh;
		fresh = 0;
	}
	if (error == 0)
		*kva = (void *)obj->kva;
	VM_OBJECT_WUNLOCK(obj->vm);
	if (fresh != 0)
		kva_free(fresh, ptoa(obj->pages));
	free(ma, M_DRM);
	return (error);
}

void
drm_os_object_kunmap(struct drm_os_object *obj)
{
	vm_offset_t stale;

	stale = 0;
	VM_OBJECT_WLOCK(obj->vm);
	if (--obj->kmaps == 0) {
		stale = obj->kva;
		pmap_qremove(stale, obj->pages);
	}
	VM_OBJECT_WUNLOCK(obj->vm);
	if (stale != 0)
		kva_free(stale, ptoa(obj->pages));
}

void
drm_os_object_sync(struct drm_os_object *obj, uint64_t off, uint64_t len,
    uint32_t dir)
{
	vm_page_t m;
	uint64_t end, n, size;

	size = ptoa(obj->pages);
	if (obj->dev->coherent || obj->attr != VM_MEMATTR_DEFAULT || off >= size)
		return;
	end = off + MIN(len, size - off);
	if (obj->vm != NULL)
		VM_OBJECT_RLOCK(obj->vm);
	for (; off < end; off += n) {
		n = MIN(end - off, PAGE_SIZE - (off & PAGE_MASK));
		m = obj->vm == NULL ? obj->held[OFF_TO_IDX(off)] :
		    vm_page_lookup(obj->vm, OFF_TO_IDX(off));
		if (m != NULL)
			drm_cache_sync(obj->dev, VM_PAGE_TO_PHYS(m) +
			    (off & PAGE_MASK), n, dir);
	}
	if (obj->vm != NULL)
		VM_OBJECT_RUNLOCK(obj->vm);
}
