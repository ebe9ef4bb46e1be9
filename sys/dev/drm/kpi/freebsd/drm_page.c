/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Memory for a device's own tables, and cache maintenance.
 */
#include "drm_glue.h"

#include <sys/proc.h>
#include <sys/rwlock.h>
#include <machine/cpufunc.h>
#include <machine/vmparam.h>
#include <vm/vm.h>
#include <vm/vm_param.h>
#include <vm/pmap.h>
#include <vm/vm_page.h>
#include <vm/vm_pageout.h>
#include <vm/vm_phys.h>

/*
 * An address that Rust frees may have been read from a table or computed, so
 * the first page of an allocation is marked with its length, the others as
 * parts.  The words are unused in pages without an object.
 */
#define	MARK		((u_long)0x64726d5f70616765)	/* "drm_page" */
#define	MARK_PART	0ul

static void
pages_mark(vm_page_t m, u_long npages)
{
	u_long i;

	for (i = 0; i < npages; i++) {
		m[i].plinks.memguard.p = MARK;
		m[i].plinks.memguard.v = i == 0 ? npages : MARK_PART;
	}
}

/* The page at pa if it is marked, or NULL. */
static vm_page_t
page_find(uint64_t pa)
{
	vm_page_t m;

	m = vm_phys_paddr_to_vm_page(pa);
	return (m != NULL && m->object == NULL &&
	    m->plinks.memguard.p == MARK ? m : NULL);
}

static void
free_pages(uint64_t pa, u_long npages)
{
	vm_page_t m;
	u_long i;

	m = page_find(pa);
	if (m == NULL || (pa & PAGE_MASK) != 0 ||
	    m->plinks.memguard.v != npages) {
		printf("drm: 0x%jx: not an allocation of %ju pages\n",
		    (uintmax_t)pa, (uintmax_t)npages);
		return;
	}
	for (i = 0; i < npages; i++) {
		m[i].plinks.memguard.p = 0;
		m[i].plinks.memguard.v = 0;
		vm_page_unwire_noq(&m[i]);
		vm_page_free(&m[i]);
	}
}

/*
 * Waits between two attempts to allocate: makes room below an address, or
 * gives the page daemon half a second.  Does not wait for memory that may
 * never become available.
 */
void
drm_page_wait(vm_paddr_t high, u_long npages)
{

	if ((npages > 1 || high != ~(vm_paddr_t)0) && vm_page_reclaim_contig(
	    VM_ALLOC_NORMAL, npages, 0, high, ptoa(npages), 0) == 0)
		return;
	vm_waitpfault(curthread->td_domain.dr_policy, hz / 2);
}

int
drm_os_page_alloc(struct drm_os_dev *dev, uint64_t *pa)
{
	vm_page_t m;
	int req;

	req = VM_ALLOC_NORMAL | VM_ALLOC_WIRED | VM_ALLOC_ZERO;
	if (dev->high == ~(vm_paddr_t)0)
		m = vm_page_alloc_noobj(req);
	else
		m = vm_page_alloc_noobj_contig(req | VM_ALLOC_NORECLAIM, 1, 0,
		    dev->high, PAGE_SIZE, 0, VM_MEMATTR_DEFAULT);
	if (m == NULL)
		return (ENOMEM);
	pages_mark(m, 1);
	*pa = VM_PAGE_TO_PHYS(m);
	drm_cache_sync(dev, *pa, PAGE_SIZE, DRM_OS_SYNC_FOR_DEVICE);
	return (0);
}

void
drm_os_page_free(struct drm_os_dev *dev __unused, uint64_t pa)
{

	free_pages(pa, 1);
}

void *
drm_os_page_kva(struct drm_os_dev *dev __unused, uint64_t pa)
{

	return (page_find(pa) == NULL ? NULL : (void *)PHYS_TO_DMAP(pa));
}

int
drm_os_run_alloc(struct drm_os_dev *dev, uint64_t size, uint64_t *pa)
{
	vm_page_t m;
	u_long npages;
	int tries;

	if (size < PAGE_SIZE || size > 2 * 1024 * 1024 || !powerof2(size))
		return (EINVAL);
	npages = atop(size);
	for (tries = 0; ; tries++) {
		m = vm_page_alloc_noobj_contig(VM_ALLOC_NORMAL |
		    VM_ALLOC_WIRED | VM_ALLOC_ZERO, npages, 0, dev->high, size,
		    0, VM_MEMATTR_DEFAULT);
		if (m != NULL || tries == 3)
			break;
		drm_page_wait(dev->high, npages);
	}
	if (m == NULL)
		return (ENOMEM);
	pages_mark(m, npages);
	*pa = VM_PAGE_TO_PHYS(m);
	drm_cache_sync(dev, *pa, size, DRM_OS_SYNC_FOR_DEVICE);
	return (0);
}

void
drm_os_run_free(struct drm_os_dev *dev __unused, uint64_t pa, uint64_t size)
{

	free_pages(pa, atop(size));
}

/* For memory in the direct map. */
void
drm_cache_sync(struct drm_os_dev *dev, vm_paddr_t pa, size_t len, uint32_t dir)
{

	if (dev->coherent || len == 0)
		return;
	if (dir == DRM_OS_SYNC_FOR_DEVICE)
		cpu_dcache_wb_range((void *)PHYS_TO_DMAP(pa), len);
	else
		/* A line at either end may have other data. */
		cpu_dcache_wbinv_range((void *)PHYS_TO_DMAP(pa), len);
}

void
drm_os_page_sync(struct drm_os_dev *dev, uint64_t pa, size_t len, uint32_t dir)
{

	/* Writing back the cache of any page is harmless. */
	if (vm_phys_paddr_to_vm_page(pa) != NULL)
		drm_cache_sync(dev, pa, MIN(len, PAGE_SIZE - (pa & PAGE_MASK)),
		    dir);
}

void
drm_os_run_sync(struct drm_os_dev *dev, uint64_t pa, size_t len, uint32_t dir)
{

	drm_cache_sync(dev, pa, len, dir);
}
