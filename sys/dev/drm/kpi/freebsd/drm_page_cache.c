/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The pages of buffers, in runs: contiguous pages that are allocated, zeroed
 * and cleaned at once.
 *
 * A device keeps a small number of pages that its buffers have freed for those
 * that come next.  They stay wired, in no VM object, mapped by the direct map
 * only, and have the memory attribute that they had; what a processor or the
 * device wrote is still in them.  A page from the cache is zeroed like one from
 * the VM system.  As that overwrites whole lines and then writes them back,
 * stale lines of an uncached page do not matter until the page is returned to
 * the VM system, which is when drm_page_restore() invalidates them.
 */
#include "drm_glue.h"

#include <sys/rwlock.h>
#include <machine/cpufunc.h>
#include <machine/vmparam.h>
#include <vm/vm.h>
#include <vm/vm_param.h>
#include <vm/pmap.h>
#include <vm/vm_object.h>
#include <vm/vm_page.h>

#include "drm_object.h"

/* The most that a device keeps. */
#define	CACHE_PAGES	atop(8 * 1024 * 1024)

/*
 * The number of pages, as an order, that is asked for after a larger run is
 * not available.  If that is not available either, single pages are used.
 */
#define	FALLBACK_ORDER	4

void
drm_page_cache_init(struct drm_page_cache *cache)
{
	int i;

	mtx_init(&cache->lock, "drm page cache", NULL, MTX_DEF);
	for (i = 0; i <= DRM_RUN_ORDER; i++)
		SLIST_INIT(&cache->runs[i]);
	cache->pages = 0;
	cache->limit = MIN((u_long)CACHE_PAGES, (u_long)physmem / 256);
}

void
drm_page_cache_destroy(struct drm_page_cache *cache)
{

	drm_page_cache_close(cache);
	mtx_destroy(&cache->lock);
}

static void *
page_alias(vm_page_t m)
{

	return ((void *)PHYS_TO_DMAP(VM_PAGE_TO_PHYS(m)));
}

/*
 * Prepares a page for the VM system after its last mapping is removed: it is
 * ordinary memory again.  Lines that were fetched speculatively may be stale.
 */
void
drm_page_restore(vm_page_t m)
{

	if (pmap_page_get_memattr(m) == VM_MEMATTR_DEFAULT)
		return;
	cpu_dcache_wbinv_range(page_alias(m), PAGE_SIZE);
	m->md.pv_memattr = VM_MEMATTR_DEFAULT;
}

/* Returns pages to the VM system. */
static void
pages_free(vm_page_t m, u_long npages)
{
	u_long i;

	for (i = 0; i < npages; i++) {
		drm_page_restore(&m[i]);
		vm_page_unwire_noq(&m[i]);
		vm_page_free(&m[i]);
	}
}

/* Takes a run of 2^order pages from the cache. */
static vm_page_t
cache_take(struct drm_page_cache *cache, int order)
{
	vm_page_t m;
	int from;

	/* Read without the lock: a page that comes meanwhile is not missed. */
	if (atomic_load_long(&cache->pages) < 1ul << order)
		return (NULL);
	m = NULL;
	mtx_lock(&cache->lock);
	for (from = order; from <= DRM_RUN_ORDER && m == NULL; from++)
		m = SLIST_FIRST(&cache->runs[from]);
	if (m != NULL) {
		from--;
		SLIST_REMOVE_HEAD(&cache->runs[from], plinks.s.ss);
		cache->pages -= 1ul << order;
		/* The upper halves stay. */
		while (from-- > order)
			SLIST_INSERT_HEAD(&cache->runs[from], &m[1 << from],
			    plinks.s.ss);
	}
	mtx_unlock(&cache->lock);
	return (m);
}

/*
 * Frees pages that nothing maps and that are in no VM object, to the cache if
 * it has room.
 */
void
drm_pages_put(struct drm_os_dev *dev, vm_page_t m, u_long npages)
{
	struct drm_page_cache *cache = &dev->page_cache;
	u_long i, kept;
	int order;

	mtx_lock(&cache->lock);
	kept = cache->pages < cache->limit ?
	    MIN(npages, cache->limit - cache->pages) : 0;
	cache->pages += kept;
	for (i = 0; i < kept; i += 1ul << order) {
		order = MIN(flsl((long)(kept - i)) - 1, DRM_RUN_ORDER);
		/* Aligned, so that a block of the largest order is one. */
		while ((VM_PAGE_TO_PHYS(&m[i]) & (ptoa(1ul << order) - 1)) != 0)
			order--;
		SLIST_INSERT_HEAD(&cache->runs[order], &m[i], plinks.s.ss);
	}
	mtx_unlock(&cache->lock);
	pages_free(&m[kept], npages - kept);
}

/* Returns all pages of the cache to the VM system. */
void
drm_page_cache_trim(struct drm_page_cache *cache)
{
	vm_page_t m;
	int order;

	for (order = 0; order <= DRM_RUN_ORDER; order++)
		while ((m = cache_take(cache, order)) != NULL)
			pages_free(m, 1ul << order);
}

/* The device is detached: nothing is kept from now on. */
void
drm_page_cache_close(struct drm_page_cache *cache)
{

	mtx_lock(&cache->lock);
	cache->limit = 0;
	mtx_unlock(&cache->lock);
	drm_page_cache_trim(cache);
}

/* A run of 2^order pages: one page is waited for. */
static vm_page_t
run_alloc(struct drm_os_dev *dev, int order)
{
	vm_page_t m;
	int req, tries;

	m = cache_take(&dev->page_cache, order);
	if (m != NULL)
		return (m);
	req = VM_ALLOC_NORMAL | VM_ALLOC_WIRED;
	if (order > 0)
		return (vm_page_alloc_noobj_contig(req | VM_ALLOC_NORECLAIM,
		    1ul << order, 0, dev->data_high, ptoa(1ul << order), 0,
		    VM_MEMATTR_DEFAULT));
	for (tries = 0; ; tries++) {
		if (dev->data_high == ~(vm_paddr_t)0)
			m = vm_page_alloc_noobj(req);
		else
			m = vm_page_alloc_noobj_contig(req, 1, 0,
			    dev->data_high, PAGE_SIZE, 0, VM_MEMATTR_DEFAULT);
		if (m != NULL || tries == 8)
			return (m);
		drm_page_wait(dev->data_high, 1);
	}
}

/*
 * Zeroes a run and makes it pages of the object, valid and managed, so that
 * their mappings can be removed.  They are mapped by the direct map only, so
 * their attribute may change.
 */
static void
run_claim(struct drm_os_object *obj, vm_page_t m, u_long npages)
{
	u_long i;

	for (i = 0; i < npages; i++) {
		pmap_zero_page(&m[i]);
		m[i].oflags &= ~VPO_UNMANAGED;
		m[i].md.pv_memattr = obj->attr;
		m[i].dirty = 0;
		m[i].valid = VM_PAGE_BITS_ALL;
	}
	if (obj->attr != VM_MEMATTR_DEFAULT)
		cpu_dcache_wbinv_range(page_alias(m), ptoa(npages));
	else if (!obj->dev->coherent)
		cpu_dcache_wb_range(page_alias(m), ptoa(npages));
}

/*
 * Allocates a run of at most *npages pages for the object, zeroed and with its
 * attribute, but not in its VM object yet.  Stores how many there are.  May
 * sleep.  *most is the largest order to ask for, DRM_RUN_ORDER at first; it is
 * lowered if a run is not available, so that a caller that allocates many runs
 * of fragmented memory asks for each larger order once.
 */
vm_page_t
drm_pages_get(struct drm_os_object *obj, u_long *npages, int *most)
{
	vm_page_t m;
	int order;

	order = MIN(flsl((long)*npages) - 1, *most);
	for (;;) {
		if (!drm_wired_add(obj, 1ul << order))
			m = NULL;
		else if ((m = run_alloc(obj->dev, order)) == NULL)
			drm_wired_sub(obj, 1ul << order);
		if (m != NULL || order == 0)
			break;
		order = order > FALLBACK_ORDER ? FALLBACK_ORDER : 0;
		*most = order;
	}
	if (m == NULL)
		return (NULL);
	*npages = 1ul << order;
	run_claim(obj, m, *npages);
	return (m);
}
