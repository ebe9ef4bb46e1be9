/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The pages of objects: allocation, the count of wired pages, and lookup in a
 * VM object.  drm_object.c has their invariants.
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

static void *
page_alias(vm_page_t m)
{

	return ((void *)PHYS_TO_DMAP(VM_PAGE_TO_PHYS(m)));
}

/*
 * Prepares a zeroed page for the object.  It is in no VM object and mapped
 * only by the direct map, so its attribute may change.
 */
static void
page_claim(struct drm_os_object *obj, vm_page_t m)
{

	/* Managed, so that its mappings can be removed. */
	m->oflags &= ~VPO_UNMANAGED;
	if (obj->attr != VM_MEMATTR_DEFAULT) {
		cpu_dcache_wbinv_range(page_alias(m), PAGE_SIZE);
		m->md.pv_memattr = obj->attr;
	} else if (!obj->dev->coherent)
		cpu_dcache_wb_range(page_alias(m), PAGE_SIZE);
}

/*
 * Undoes page_claim() after the last mapping is removed: the page is ordinary
 * memory.  Lines that were fetched speculatively may be stale.
 */
void
drm_page_restore(vm_page_t m)
{

	if (pmap_page_get_memattr(m) == VM_MEMATTR_DEFAULT)
		return;
	cpu_dcache_wbinv_range(page_alias(m), PAGE_SIZE);
	m->md.pv_memattr = VM_MEMATTR_DEFAULT;
}

/* Whether something other than the object has wired it. */
bool
drm_page_is_wired_elsewhere(vm_page_t m)
{

	return (VPRC_WIRE_COUNT(atomic_load_int(&m->ref_count)) > 1);
}

/*
 * Allocates a page, or an aligned block of pages, zeroed and with the object's
 * attribute, but not in the object yet.  May sleep.
 */
vm_page_t
drm_page_make(struct drm_os_object *obj, u_long npages)
{
	vm_page_t m;
	int req, tries;
	u_long i;

	if (!drm_wired_add(obj, npages))
		return (NULL);
	req = VM_ALLOC_NORMAL | VM_ALLOC_WIRED | VM_ALLOC_ZERO;
	for (tries = 0; ; tries++) {
		if (npages == 1 && obj->dev->data_high == ~(vm_paddr_t)0)
			m = vm_page_alloc_noobj(req);
		else
			m = vm_page_alloc_noobj_contig(req |
			    (npages > 1 ? VM_ALLOC_NORECLAIM : 0), npages, 0,
			    obj->dev->data_high, ptoa(npages), 0,
			    VM_MEMATTR_DEFAULT);
		/*
		 * A block is optional; for a single page, memory is waited
		 * for.
		 */
		if (m != NULL || npages > 1 || tries == 8)
			break;
		drm_page_wait(obj->dev->data_high, 1);
	}
	if (m == NULL) {
		drm_wired_sub(obj, npages);
		return (NULL);
	}
	for (i = 0; i < npages; i++)
		page_claim(obj, &m[i]);
	return (m);
}

void
drm_page_discard(struct drm_os_object *obj, vm_page_t m)
{

	drm_page_restore(m);
	m->oflags |= VPO_UNMANAGED;
	vm_page_unwire_noq(m);
	vm_page_free(m);
	drm_wired_sub(obj, 1);
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

	for (;;) {
		VM_OBJECT_ASSERT_WLOCKED(obj->vm);
		if (obj->purged)
			return (ENXIO);
		m = vm_page_lookup(obj->vm, pindex);
		if (m != NULL) {
			if (!vm_page_busy_acquire(m, VM_ALLOC_WAITFAIL))
				continue;
			*mp = m;
			return (0);
		}
		VM_OBJECT_WUNLOCK(obj->vm);
		m = drm_page_make(obj, 1);
		VM_OBJECT_WLOCK(obj->vm);
		if (m == NULL)
			return (ENOMEM);
		if (obj->purged || vm_page_lookup(obj->vm, pindex) != NULL) {
			drm_page_discard(obj, m);
			continue;
		}
		vm_page_busy_acquire(m, 0);
		if (vm_page_insert(m, obj->vm, pindex)) {
			vm_page_xunbusy(m);
			drm_page_discard(obj, m);
			return (ENOMEM);
		}
		vm_page_valid(m);
		*mp = m;
		return (0);
	}
}

static bool
block_is_empty(struct drm_os_object *obj, vm_pindex_t pindex)
{
	struct pctrie_iter pages;
	vm_page_t next;

	vm_page_iter_init(&pages, obj->vm);
	next = vm_radix_iter_lookup_ge(&pages, pindex);
	return (!obj->purged && (next == NULL ||
	    next->pindex >= pindex + BLOCK_PAGES));
}

/*
 * Fills the empty aligned block at pindex with contiguous memory, if
 * available. The lock as in drm_object_page_get().
 */
void
drm_object_block_get(struct drm_os_object *obj, vm_pindex_t pindex)
{
	vm_page_t m;
	u_long i;

	if (!block_is_empty(obj, pindex))
		return;
	VM_OBJECT_WUNLOCK(obj->vm);
	m = drm_page_make(obj, BLOCK_PAGES);
	VM_OBJECT_WLOCK(obj->vm);
	if (m == NULL)
		return;
	i = 0;
	if (block_is_empty(obj, pindex)) {
		for (; i < BLOCK_PAGES; i++) {
			vm_page_busy_acquire(&m[i], 0);
			if (vm_page_insert(&m[i], obj->vm, pindex + i)) {
				vm_page_xunbusy(&m[i]);
				break;
			}
			vm_page_valid(&m[i]);
			vm_page_xunbusy(&m[i]);
		}
	}
	for (; i < BLOCK_PAGES; i++)
		drm_page_discard(obj, &m[i]);
}
