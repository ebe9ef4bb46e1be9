/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The pages of objects: allocation, the count of wired pages, lookup in a VM
 * object, and removal from it.  drm_object.c has their invariants.
 */
#include "drm_glue.h"

#include <sys/limits.h>
#include <sys/rwlock.h>
#include <sys/vmmeter.h>
#include <machine/cpufunc.h>
#include <machine/vmparam.h>
#include <vm/vm.h>
#include <vm/vm_param.h>
#include <vm/pmap.h>
#include <vm/vm_extern.h>
#include <vm/vm_object.h>
#include <vm/vm_page.h>
#include <vm/vm_pageout.h>
#include <vm/vm_radix.h>

#include "drm_object.h"

/* Counts pages that are about to be wired for a user. */
bool
drm_wired_add(struct drm_os_object *obj, u_long npages)
{
	u_long wired;

	if (!obj->counted)
		return (true);
	wired = atomic_load_long(&vm_user_wire_count);
	do {
		if (npages > ULONG_MAX - wired ||
		    npages + wired > vm_page_max_user_wired)
			return (false);
	} while (!atomic_fcmpset_long(&vm_user_wire_count, &wired,
	    wired + npages));
	return (true);
}

void
drm_wired_sub(struct drm_os_object *obj, u_long npages)
{

	if (obj->counted)
		atomic_subtract_long(&vm_user_wire_count, npages);
}

/* Whether something other than the object has wired it. */
bool
drm_page_is_wired_elsewhere(vm_page_t m)
{

	return (VPRC_WIRE_COUNT(atomic_load_int(&m->ref_count)) > 1);
}

/* Frees pages of drm_pages_get() that are in no VM object. */
void
drm_pages_discard(struct drm_os_object *obj, vm_page_t m, u_long npages)
{

	drm_pages_put(obj->dev, m, npages);
	drm_wired_sub(obj, npages);
}

/* The number of pages from pindex on that are not allocated, npages at most. */
static u_long
pages_absent(struct drm_os_object *obj, vm_pindex_t pindex, u_long npages)
{
	struct pctrie_iter pages;
	vm_page_t next;

	vm_page_iter_init(&pages, obj->vm);
	next = vm_radix_iter_lookup_ge(&pages, pindex);
	return (next == NULL ? npages : MIN(npages, next->pindex - pindex));
}

/*
 * Allocates a run of pages from pindex on, which are not allocated: of *npages
 * pages at most, and stores how many.  *npages is 0 if others were allocated
 * meanwhile.  *most is that of drm_pages_get().  Called with the VM object
 * locked; releases the lock temporarily.
 */
static int
run_insert(struct drm_os_object *obj, vm_pindex_t pindex, u_long *npages,
    int *most, vm_page_t *mp)
{
	struct pctrie_iter pages;
	vm_page_t m;
	u_long i, n;
	int error;

	/* A block leaf needs a whole block at its start. */
	n = MIN(*npages, BLOCK_PAGES - pindex % BLOCK_PAGES);
	*npages = 0;
	VM_OBJECT_WUNLOCK(obj->vm);
	m = drm_pages_get(obj, &n, most);
	VM_OBJECT_WLOCK(obj->vm);
	if (m == NULL)
		return (ENOMEM);
	i = 0;
	error = 0;
	if (obj->purged)
		error = ENXIO;
	else if (pages_absent(obj, pindex, n) == n) {
		/* They are valid, so they need not be busy. */
		vm_page_iter_init(&pages, obj->vm);
		for (; i < n && error == 0; i++)
			if (vm_page_iter_insert(&m[i], obj->vm, pindex + i,
			    &pages) != 0)
				error = ENOMEM;
		if (error != 0)
			i--;
		*npages = i;
		*mp = m;
	}
	if (i < n)
		drm_pages_discard(obj, &m[i], n - i);
	return (error);
}

/*
 * Allocates those of count pages from pindex on that are not allocated, and
 * stores the physical addresses of all in pa, and the pages in ma, which may
 * be NULL.  Called with the VM object locked; releases the lock temporarily.
 */
int
drm_object_pages_get(struct drm_os_object *obj, vm_pindex_t pindex,
    u_long count, uint64_t *pa, vm_page_t *ma)
{
	vm_page_t m;
	u_long at, i, n;
	int error, most;

	m = NULL;
	most = DRM_RUN_ORDER;
	for (at = 0; at < count; at += n) {
		if (obj->purged)
			return (ENXIO);
		n = pages_absent(obj, pindex + at, count - at);
		if (n != 0)
			error = run_insert(obj, pindex + at, &n, &most, &m);
		else {
			n = 1;
			error = drm_object_page_get(obj, pindex + at, &m);
			if (error == 0)
				vm_page_xunbusy(m);
		}
		if (error != 0)
			return (error);
		for (i = 0; i < n; i++) {
			if (pa != NULL)
				pa[at + i] = VM_PAGE_TO_PHYS(&m[i]);
			if (ma != NULL)
				ma[at + i] = &m[i];
		}
	}
	return (0);
}

/*
 * Finds or allocates the page at pindex, busied exclusively.  Called with the
 * VM object locked; releases the lock temporarily.
 */
int
drm_object_page_get(struct drm_os_object *obj, vm_pindex_t pindex,
    vm_page_t *mp)
{
	vm_page_t m;
	u_long n;
	int error, most;

	most = 0;
	for (;;) {
		VM_OBJECT_ASSERT_WLOCKED(obj->vm);
		if (obj->purged)
			return (ENXIO);
		m = vm_page_lookup(obj->vm, pindex);
		if (m == NULL) {
			n = 1;
			error = run_insert(obj, pindex, &n, &most, &m);
			if (error != 0)
				return (error);
			if (n == 0)
				continue;
		}
		/* As the lock is held, nothing has replaced it. */
		if (vm_page_busy_acquire(m, VM_ALLOC_WAITFAIL)) {
			*mp = m;
			return (0);
		}
	}
}

/*
 * Removes all pages from users' mappings and from the object and frees them.
 * With "keep", pages that others have wired stay in the VM object, as ordinary
 * ones.
 */
void
drm_object_pages_free(struct drm_os_object *obj, bool keep)
{
	struct pctrie_iter pages;
	vm_object_t vm;
	vm_page_t m, run;
	u_long freed, length;

	vm = obj->vm;
	VM_OBJECT_ASSERT_WLOCKED(vm);
	freed = length = 0;
	run = NULL;
	vm_page_iter_init(&pages, vm);
retry:
	VM_RADIX_FOREACH(m, &pages) {
		if (!vm_page_busy_acquire(m, VM_ALLOC_WAITFAIL)) {
			pctrie_iter_reset(&pages);
			goto retry;
		}
		/* After this nothing wires it that has not. */
		if (obj->exposed)
			pmap_remove_all(m);
		if (drm_page_is_wired_elsewhere(m)) {
			drm_page_restore(m);
			if (keep) {
				vm_page_xunbusy(m);
				continue;
			}
			vm_page_iter_remove(&pages, m);
			freed++;
			/* The last unwiring frees it. */
			if (vm_page_unwire_noq(m))
				vm_page_free(m);
			continue;
		}
		vm_page_iter_remove(&pages, m);
		freed++;
		/*
		 * Neighbours in the array of pages need not be neighbours in
		 * memory: the array has no holes.
		 */
		if (length != 0 && (m != run + length || VM_PAGE_TO_PHYS(m) !=
		    VM_PAGE_TO_PHYS(run) + ptoa(length))) {
			drm_pages_put(obj->dev, run, length);
			length = 0;
		}
		if (length++ == 0)
			run = m;
	}
	if (length != 0)
		drm_pages_put(obj->dev, run, length);
	drm_wired_sub(obj, freed);
}

/*
 * Whether a page is wired by others, or is about to be: a fault that wires a
 * page keeps it busy from before it is found until it is wired.  None can
 * begin while the lock is held.
 */
bool
drm_object_is_wired_elsewhere(vm_object_t vm)
{
	struct pctrie_iter pages;
	vm_page_t m;

	VM_OBJECT_ASSERT_WLOCKED(vm);
	vm_page_iter_init(&pages, vm);
	VM_RADIX_FOREACH(m, &pages) {
		if (vm_page_busied(m) || drm_page_is_wired_elsewhere(m))
			return (true);
	}
	return (false);
}
