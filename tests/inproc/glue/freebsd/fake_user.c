/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A user: the memory of a process, which the glue wires, and the swap that buffers are charged to.
 */
#include "freebsd.h"
#include "fake_vm.h"

/* A process's memory, from FAKE_USER_BASE. */
#define	USER_PAGES	16
static vm_page_t user[USER_PAGES];

void
fake_user_page(u_int index, int kind)
{
	vm_page_t m = vm_page_alloc_noobj_contig(VM_ALLOC_ZERO | VM_ALLOC_WIRED, 1, 0,
	    kind == FAKE_USER_HIGH ? ~0ul : HIGH_PA - 1, PAGE_SIZE, 0, VM_MEMATTR_DEFAULT);

	m->oflags = 0;
	m->valid = true;
	if (kind == FAKE_USER_DEVICE)
		m->flags |= PG_FICTITIOUS;
	if (kind == FAKE_USER_UNCACHED)
		m->md.pv_memattr = VM_MEMATTR_UNCACHEABLE;
	user[index] = m;
}

void
fake_user_free(void)
{
	int i;

	for (i = 0; i < USER_PAGES; i++) {
		if (user[i] == NULL)
			continue;
		user[i]->md.pv_memattr = VM_MEMATTR_DEFAULT;
		vm_page_unwire(user[i], PQ_ACTIVE);
		user[i] = NULL;
	}
}

int
vm_fault_quick_hold_pages(vm_map_t map __unused, vm_offset_t addr, vm_size_t len,
    vm_prot_t prot __unused, vm_page_t *ma, int max)
{
	uint64_t first = atop(addr - FAKE_USER_BASE), n = atop(len), i;

	KASSERT(n <= (uint64_t)max, "");
	if (addr < FAKE_USER_BASE || first >= USER_PAGES || n > USER_PAGES - first)
		return (-1);
	for (i = 0; i < n && user[first + i] != NULL; i++)
		continue;
	if (i < n)
		return (-1);
	for (i = 0; i < n; i++) {
		ma[i] = user[first + i];
		ma[i]->ref_count++;
	}
	return ((int)n);
}

bool
swap_reserve_by_cred(vm_ooffset_t size, struct ucred *cred __unused)
{

	if ((uint64_t)size > ptoa(2 * PAGES))
		return (false);
	fake_counts.charged += (uint64_t)size;
	return (true);
}

void
swap_release_by_cred(vm_ooffset_t size, struct ucred *cred __unused)
{

	fake_counts.charged -= (uint64_t)size;
}
