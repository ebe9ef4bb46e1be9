/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pages of freebsd.h, each with the state of its cache lines, and the memory that they are.
 */
#include "freebsd.h"
#include "fake_vm.h"

#undef	free

#define	LINES	64

static struct vm_page pages[2 * PAGES];
static char *memory;
/* The lines of each page that are in the cache, one bit each. */
static struct { uint64_t dirty, present; } cache[2 * PAGES];

static void (*on_cache)(void *, uint64_t, uint64_t, int);
static void *on_cache_arg;

void
fake_pages_init(void)
{
	int i;

	memory = aligned_alloc(PAGE_SIZE, 2 * PAGES * PAGE_SIZE);
	for (i = 0; i < 2 * PAGES; i++)
		pages[i].md.pv_memattr = VM_MEMATTR_DEFAULT;
}

vm_paddr_t
fake_pa(vm_page_t m)
{
	long i = m - pages;

	return (i < PAGES ? LOW_PA + ptoa(i) : HIGH_PA + ptoa(i - PAGES));
}

vm_page_t
vm_phys_paddr_to_vm_page(vm_paddr_t pa)
{

	if (pa >= LOW_PA && pa < LOW_PA + ptoa(PAGES))
		return (&pages[atop(pa - LOW_PA)]);
	if (pa >= HIGH_PA && pa < HIGH_PA + ptoa(PAGES))
		return (&pages[PAGES + atop(pa - HIGH_PA)]);
	return (NULL);
}

void *
fake_dmap(vm_paddr_t pa)
{
	vm_page_t m = vm_phys_paddr_to_vm_page(pa);

	KASSERT(m != NULL, "");
	return (memory + (m - pages) * PAGE_SIZE + (pa & PAGE_MASK));
}

/* The content of the page as the device sees it, once written by it. */
void *
fake_memory(uint64_t pa)
{

	return (fake_dmap(pa));
}

/* The CPU writes a page through the direct map, or fetches it speculatively. */
static void
touch(vm_page_t m, bool write)
{

	cache[m - pages].present = ~0ul;
	if (write)
		cache[m - pages].dirty = ~0ul;
}

void
fake_speculate(void)
{
	int i;

	for (i = 0; i < 2 * PAGES; i++)
		touch(&pages[i], false);
}

static void
maintain(void *at, vm_size_t len, bool invalidate)
{
	uint64_t off = (char *)at - memory, line;
	vm_page_t m;

	KASSERT(off < 2 * PAGES * PAGE_SIZE && len <= 2 * PAGES * PAGE_SIZE - off, "");
	/* Between the ranges there is no memory. */
	KASSERT(off / PAGE_SIZE >= PAGES || off + len <= PAGES * PAGE_SIZE, "");
	for (line = off / LINES * LINES; line < off + len; line += LINES) {
		m = &pages[line / PAGE_SIZE];
		cache[m - pages].dirty &= ~(1ul << line % PAGE_SIZE / LINES);
		if (invalidate)
			cache[m - pages].present &= ~(1ul << line % PAGE_SIZE / LINES);
		if (on_cache != NULL)
			on_cache(on_cache_arg, fake_pa(m) + line % PAGE_SIZE, LINES, invalidate);
	}
}

void
cpu_dcache_wb_range(void *at, vm_size_t len)
{

	maintain(at, len, false);
}

void
cpu_dcache_wbinv_range(void *at, vm_size_t len)
{

	maintain(at, len, true);
}

void
fake_on_cache(void (*fn)(void *, uint64_t, uint64_t, int), void *arg)
{

	on_cache = fn;
	on_cache_arg = arg;
}

/* Whether a line of the page would be written back. */
bool
fake_page_dirty(vm_page_t m)
{

	return (cache[m - pages].dirty != 0);
}

static void
take(vm_page_t m, bool zero)
{

	KASSERT(m->md.pv_memattr == VM_MEMATTR_DEFAULT, "");
	memset(m, 0, sizeof(*m));
	m->md.pv_memattr = VM_MEMATTR_DEFAULT;
	m->allocated = true;
	m->oflags = VPO_UNMANAGED;
	m->ref_count = 1;
	memset(fake_dmap(fake_pa(m)), zero ? 0 : 0xa5, PAGE_SIZE);
	touch(m, true);
	fake_counts.pages++;
}

vm_page_t
vm_page_alloc_noobj_contig(int req, u_long npages, vm_paddr_t low, vm_paddr_t high,
    u_long alignment, vm_paddr_t boundary, vm_memattr_t attr)
{
	long at, i;

	KASSERT(req & VM_ALLOC_WIRED && low == 0 && boundary == 0 &&
	    attr == VM_MEMATTR_DEFAULT, "");
	fake_counts.requests++;
	if (fake_counts.fail != 0 && --fake_counts.fail == 0)
		return (NULL);
	/* From the top: pages that a device may not reach come first. */
	for (at = 2 * PAGES - (long)npages; at >= 0; at--) {
		if (fake_pa(&pages[at]) % alignment != 0 ||
		    fake_pa(&pages[at]) + ptoa(npages) - 1 > high)
			continue;
		for (i = 0; i < (long)npages && !pages[at + i].allocated; i++)
			if (fake_pa(&pages[at + i]) != fake_pa(&pages[at]) + ptoa(i))
				break;
		if (i == (long)npages)
			break;
	}
	if (at < 0)
		return (NULL);
	for (i = 0; i < (long)npages; i++)
		take(&pages[at + i], req & VM_ALLOC_ZERO);
	return (&pages[at]);
}

vm_page_t
vm_page_alloc_noobj(int req)
{

	return (vm_page_alloc_noobj_contig(req, 1, 0, ~0ul, PAGE_SIZE, 0, VM_MEMATTR_DEFAULT));
}

int
vm_page_reclaim_contig(int req __unused, u_long npages __unused, vm_paddr_t low __unused,
    vm_paddr_t high __unused, u_long alignment __unused, vm_paddr_t boundary __unused)
{

	fake_counts.reclaims++;
	return (ENOMEM);
}

void
vm_waitpfault(struct domainset *set __unused, int ticks)
{

	KASSERT(ticks > 0 && ticks <= hz, "");
	fake_counts.waits++;
}

bool
vm_page_busy_acquire(vm_page_t m, int how)
{

	KASSERT(!m->busy, "");
	if (how & VM_ALLOC_SBUSY)
		m->shared = true;
	else
		m->busy = true;
	return (true);
}

void
vm_page_free(vm_page_t m)
{

	KASSERT(m->allocated && m->object == NULL && m->ref_count == 0, "");
	KASSERT(!m->busy && !m->mapped, "");
	/* The kernel resets the attribute here, too, which may have to split the direct map. */
	KASSERT(m->md.pv_memattr == VM_MEMATTR_DEFAULT, "");
	m->allocated = false;
	fake_counts.pages--;
}

bool
vm_page_unwire_noq(vm_page_t m)
{

	KASSERT(VPRC_WIRE_COUNT(m->ref_count) != 0, "");
	m->ref_count--;
	return (VPRC_WIRE_COUNT(m->ref_count) == 0);
}

void
vm_page_unwire(vm_page_t m, int queue __unused)
{

	KASSERT(VPRC_WIRE_COUNT(m->ref_count) != 0, "");
	if (--m->ref_count == 0)
		vm_page_free(m);
}

void
vm_page_unhold_pages(vm_page_t *ma, int count)
{

	while (count-- > 0)
		vm_page_unwire(ma[count], PQ_ACTIVE);
}

void
pmap_zero_page(vm_page_t m)
{

	KASSERT(m->allocated && m->object == NULL && !m->mapped, "");
	memset(fake_dmap(fake_pa(m)), 0, PAGE_SIZE);
	touch(m, true);
}

void
pmap_qenter(vm_offset_t va __unused, vm_page_t *ma __unused, int count __unused)
{
}

void
pmap_qremove(vm_offset_t va __unused, int count __unused)
{
}

vm_offset_t
kva_alloc(vm_size_t size)
{

	return ((vm_offset_t)calloc(1, size));
}

void
kva_free(vm_offset_t va, vm_size_t size __unused)
{

	free((void *)va);
}
