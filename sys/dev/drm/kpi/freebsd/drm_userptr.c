/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Objects of the memory of a process.  They have no VM object of their own,
 * and their memory is charged already; their pages are wired, and count as
 * such.
 */
#include "drm_glue.h"

#include <sys/proc.h>
#include <sys/refcount.h>
#include <vm/vm.h>
#include <vm/vm_param.h>
#include <vm/pmap.h>
#include <vm/vm_extern.h>
#include <vm/vm_map.h>
#include <vm/vm_page.h>

#include "drm_object.h"

/*
 * Neither registers of a device nor memory that the process maps uncached:
 * drm_os_object_sync() uses the direct map.
 */
static bool
user_page_is_usable(struct drm_os_dev *dev, vm_page_t m)
{

	return ((m->flags & PG_FICTITIOUS) == 0 &&
	    pmap_page_get_memattr(m) == VM_MEMATTR_DEFAULT &&
	    VM_PAGE_TO_PHYS(m) <= dev->data_high);
}

int
drm_os_object_create_user(struct drm_os_dev *dev,
    struct drm_os_caller *caller, uint64_t uaddr, uint64_t size, int write,
    struct drm_os_object **objp)
{
	struct drm_os_object *obj;
	vm_map_t map;
	vm_prot_t prot;
	uint64_t i, count;
	int held;

	if (size == 0 || (size & PAGE_MASK) != 0 || (uaddr & PAGE_MASK) != 0)
		return (EINVAL);
	count = atop(size);
	/* More than RAM; checked before the list is allocated. */
	if (count > physmem)
		return (EFAULT);
	map = &caller->td->td_proc->p_vmspace->vm_map;
	prot = VM_PROT_READ | (write ? VM_PROT_WRITE : 0);
	obj = malloc(sizeof(*obj), M_DRM, M_WAITOK | M_ZERO);
	obj->counted = true;
	if (!drm_wired_add(obj, count)) {
		free(obj, M_DRM);
		return (ENOMEM);
	}
	obj->held = mallocarray(count, sizeof(*obj->held), M_DRM,
	    M_WAITOK | M_ZERO);
	held = vm_fault_quick_hold_pages(map, uaddr, size, prot, obj->held,
	    count);
	if (held < 0)
		goto fault;
	obj->pages = count;
	obj->attr = VM_MEMATTR_DEFAULT;
	obj->write = write != 0;
	refcount_init(&obj->refs, 1);
	for (i = 0; i < count; i++) {
		if (!user_page_is_usable(dev, obj->held[i])) {
			vm_page_unhold_pages(obj->held, count);
			goto fault;
		}
	}
	drm_object_publish(obj, dev);
	*objp = obj;
	return (0);
fault:
	drm_wired_sub(obj, count);
	free(obj->held, M_DRM);
	free(obj, M_DRM);
	return (EFAULT);
}

void
drm_userptr_unref(struct drm_os_object *obj)
{
	vm_page_t m;
	uint64_t i;

	if (!refcount_release(&obj->refs))
		return;
	for (i = 0; obj->write && i < obj->pages; i++) {
		m = obj->held[i];
		/*
		 * A page without mappings may have been freed by its object,
		 * and is not valid then.
		 */
		(void)vm_page_busy_acquire(m, VM_ALLOC_SBUSY);
		if (!vm_page_none_valid(m))
			vm_page_dirty(m);
		vm_page_sunbusy(m);
	}
	vm_page_unhold_pages(obj->held, obj->pages);
	drm_wired_sub(obj, obj->pages);
	free(obj->held, M_DRM);
	drm_object_free(obj);
}
