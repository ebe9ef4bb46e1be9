/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Memory of the device's own tables, and cache maintenance.
 */
#include "drm_glue.h"

#include <sys/rwlock.h>
#include <machine/cpufunc.h>
#include <machine/vmparam.h>
#include <vm/vm.h>
#include <vm/vm_param.h>
#include <vm/pmap.h>
#include <vm/vm_page.h>
#include <vm/vm_pageout.h>
#include <vm/vm_phys.h>

static void *
kva_of(uint64_t pa)
{

	return ((void *)PHYS_TO_DMAP(pa));
}

static void
free_pages(uint64_t pa, u_long npages)
{
	vm_page_t m;
	u_long i;

	m = PHYS_TO_VM_PAGE(pa);
	for (i = 0; i < npages; i++) {
		vm_page_unwire_noq(&m[i]);
		vm_page_free(&m[i]);
	}
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
	*pa = VM_PAGE_TO_PHYS(m);
	drm_os_page_sync(dev, *pa, PAGE_SIZE, DRM_OS_SYNC_FOR_DEVICE);
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

	if (vm_phys_paddr_to_vm_page(pa) == NULL || !PHYS_IN_DMAP(pa))
		return (NULL);
	return (kva_of(pa));
}

int
drm_os_run_alloc(struct drm_os_dev *dev, uint64_t size, uint64_t *pa)
{
	vm_page_t m;
	u_long i, npages;
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
		if (vm_page_reclaim_contig(VM_ALLOC_NORMAL, npages, 0,
		    dev->high, size, 0) != 0)
			vm_wait(NULL);
	}
	if (m == NULL)
		return (ENOMEM);
	*pa = VM_PAGE_TO_PHYS(m);
	for (i = 0; i < npages; i++)
		drm_os_page_sync(dev, *pa + ptoa(i), PAGE_SIZE,
		    DRM_OS_SYNC_FOR_DEVICE);
	return (0);
}

void
drm_os_run_free(struct drm_os_dev *dev __unused, uint64_t pa, uint64_t size)
{

	free_pages(pa, atop(size));
}

void
drm_os_page_sync(struct drm_os_dev *dev, uint64_t pa, size_t len, uint32_t dir)
{

	if (dev->coherent)
		return;
	if (dir == DRM_OS_SYNC_FOR_DEVICE)
		cpu_dcache_wb_range(kva_of(pa), len);
	else
		/* A line at either end may hold others' data. */
		cpu_dcache_wbinv_range(kva_of(pa), len);
}
