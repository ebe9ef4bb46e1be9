/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VM system that freebsd.h declares: pages, each with the state of its cache lines, and VM
 * objects, each a table of pages. A call that would panic a kernel, or corrupt memory later, aborts
 * the process.
 */
#include "freebsd.h"
#include "fake_vm.h"

#undef	malloc
#undef	free
#undef	mallocarray

#define	PAGES	2048
#define	LINES	64
/*
 * Two ranges of physical memory, one below and one above 4 GiB.  Their pages
 * are neighbours in the array, and the end of the lower one is not aligned.
 */
#define	LOW_PA	0x40001000ul
#define	HIGH_PA	0x100000000ul

static struct vm_page pages[2 * PAGES];
static char *memory;
/* The lines of each page that are in the cache, one bit each. */
static struct { uint64_t dirty, present; } cache[2 * PAGES];

static struct proc proc = { 0, NULL };
static struct thread thread = { &proc, (struct ucred *)&proc, { NULL } };
struct thread *curthread = &thread;
/* A device may keep 512 of them. */
long physmem = 512 * 256;
u_long vm_user_wire_count;
u_long vm_page_max_user_wired = 2 * PAGES;
int hz = 1000;
struct malloc_type *M_DRM;
struct drm_os drm_os;

struct fake_counts fake_counts;
static void (*on_cache)(void *, uint64_t, uint64_t, int);
static void *on_cache_arg;

void
fake_die(const char *what)
{

	fprintf(stderr, "fake_vm: %s\n", what);
	abort();
}

static void
init(void)
{
	int i;

	if (memory != NULL)
		return;
	memory = aligned_alloc(PAGE_SIZE, 2 * PAGES * PAGE_SIZE);
	proc.p_vmspace = calloc(1, sizeof(struct vmspace));
	for (i = 0; i < 2 * PAGES; i++)
		pages[i].md.pv_memattr = VM_MEMATTR_DEFAULT;
	drm_objects_init();
}

struct drm_os_dev *
fake_dev(bool coherent, uint64_t high, uint64_t data_high)
{
	struct drm_os_dev *dev = calloc(1, sizeof(*dev));

	init();
	dev->coherent = coherent;
	dev->high = high;
	dev->data_high = data_high;
	dev->refs = 1;
	drm_page_cache_init(&dev->page_cache);
	return (dev);
}

void
fake_dev_free(struct drm_os_dev *dev)
{

	KASSERT(dev->refs == 1, "");
	drm_page_cache_destroy(&dev->page_cache);
	free(dev);
}

/* The system is short of memory. */
void
fake_lowmem(struct drm_os_dev *dev)
{

	drm_page_cache_trim(&dev->page_cache);
}

/* The device is detached. */
void
fake_detach(struct drm_os_dev *dev)
{

	drm_page_cache_close(&dev->page_cache);
}

uint64_t
fake_kept(struct drm_os_dev *dev)
{

	return (dev->page_cache.pages);
}

/* The content of the page as the device sees it, once written by it. */
void *
fake_memory(uint64_t pa)
{

	return (fake_dmap(pa));
}

struct drm_os_caller *
fake_caller(void)
{
	static struct drm_os_caller caller;

	caller.td = curthread;
	return (&caller);
}

void
drm_dev_hold(struct drm_os_dev *dev)
{

	dev->refs++;
}

void
drm_dev_release(struct drm_os_dev *dev)
{

	dev->refs--;
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

int
vm_page_insert(vm_page_t m, vm_object_t o, vm_pindex_t pindex)
{

	/* What is not valid is not to be found by others. */
	KASSERT(o->locked && (m->busy || m->valid) && m->object == NULL, "");
	KASSERT(pindex < o->most && o->pages[pindex] == NULL, "");
	KASSERT((m->oflags & VPO_UNMANAGED) == 0, "");
	/* A dirty line would be written back over data that is written past the cache. */
	KASSERT(m->md.pv_memattr == VM_MEMATTR_DEFAULT || cache[m - pages].dirty == 0, "");
	m->object = o;
	m->pindex = pindex;
	m->ref_count |= VPRC_OBJREF;
	o->pages[pindex] = m;
	o->resident_page_count++;
	return (0);
}

int
vm_page_iter_insert(vm_page_t m, vm_object_t o, vm_pindex_t pindex, struct pctrie_iter *it)
{

	KASSERT(it->object == o, "");
	if (fake_counts.fail_insert != 0 && --fake_counts.fail_insert == 0)
		return (1);
	return (vm_page_insert(m, o, pindex));
}

static void
leave_object(vm_page_t m)
{
	vm_object_t o = m->object;

	KASSERT(o->locked && m->busy && o->pages[m->pindex] == m, "");
	o->pages[m->pindex] = NULL;
	o->resident_page_count--;
	m->object = NULL;
	m->ref_count &= ~VPRC_OBJREF;
	m->busy = false;
}

bool
vm_page_iter_remove(struct pctrie_iter *it, vm_page_t m)
{

	KASSERT(it->object == m->object, "");
	leave_object(m);
	return (m->ref_count == 0);
}

void
vm_page_replace(vm_page_t new, vm_object_t o, vm_pindex_t pindex, vm_page_t old)
{

	KASSERT(old->object == o && old->pindex == pindex, "");
	leave_object(old);
	if (old->ref_count == 0)
		vm_page_free(old);
	vm_page_insert(new, o, pindex);
}

vm_page_t
vm_page_lookup(vm_object_t o, vm_pindex_t pindex)
{

	KASSERT(o->locked, "");
	return (pindex < o->most ? o->pages[pindex] : NULL);
}

vm_page_t
vm_radix_iter_lookup_ge(struct pctrie_iter *it, vm_pindex_t from)
{

	KASSERT(it->object->locked, "");
	for (; from < it->object->most; from++) {
		if (it->object->pages[from] != NULL) {
			it->next = from + 1;
			return (it->object->pages[from]);
		}
	}
	return (NULL);
}

void
pmap_zero_page(vm_page_t m)
{

	KASSERT(m->allocated && m->object == NULL && !m->mapped, "");
	memset(fake_dmap(fake_pa(m)), 0, PAGE_SIZE);
	touch(m, true);
}

void
pmap_remove_all(vm_page_t m)
{

	KASSERT((m->oflags & VPO_UNMANAGED) == 0 && m->busy, "");
	m->mapped = false;
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

void
fake_lock(vm_object_t o, bool locked)
{

	KASSERT(o->locked != locked, "");
	o->locked = locked;
}

vm_object_t
cdev_pager_allocate(void *handle, int type, const struct cdev_pager_ops *ops, vm_ooffset_t size,
    vm_prot_t prot __unused, vm_ooffset_t off, struct ucred *cred)
{
	vm_object_t o = calloc(1, sizeof(*o));
	u_short color;

	KASSERT(off == 0 && ops->cdev_pg_ctor(handle, size, prot, off, cred, &color) == 0, "");
	o->handle = handle;
	o->ops = ops;
	o->type = type;
	o->flags = OBJ_FICTITIOUS | OBJ_POPULATE;
	o->ref_count = 1;
	o->size = o->most = atop(size);
	o->pages = calloc(o->most, sizeof(vm_page_t));
	fake_counts.objects++;
	return (o);
}

void
vm_pager_deallocate(vm_object_t o)
{

	if (o->type == OBJT_DEAD)
		return;
	VM_OBJECT_WUNLOCK(o);
	o->ops->cdev_pg_dtor(o->handle);
	VM_OBJECT_WLOCK(o);
	o->handle = NULL;
	o->type = OBJT_DEAD;
}

void
vm_object_deallocate(vm_object_t o)
{
	vm_pindex_t i;
	vm_page_t m;

	VM_OBJECT_WLOCK(o);
	if (--o->ref_count != 0) {
		VM_OBJECT_WUNLOCK(o);
		return;
	}
	o->flags |= OBJ_DEAD;
	for (i = 0; (o->flags & OBJ_PG_DTOR) == 0 && i < o->most; i++) {
		if ((m = o->pages[i]) == NULL)
			continue;
		m->busy = true;
		m->mapped = false;
		leave_object(m);
		if (m->ref_count == 0)
			vm_page_free(m);
	}
	vm_pager_deallocate(o);
	KASSERT(o->resident_page_count == 0, "");
	free(o->pages);
	free(o);
	fake_counts.objects--;
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

/* A page fault of a process that maps the object. Returns VM_PAGER_OK, or an error. */
int
fake_touch(struct drm_os_object *obj, uint64_t pindex, int copied)
{
	vm_object_t o = drm_object_vm(obj);
	vm_pindex_t first, last;
	vm_page_t m;
	int error;

	VM_OBJECT_WLOCK(o);
	m = vm_page_lookup(o, pindex);
	error = VM_PAGER_OK;
	if (m == NULL && !copied)
		error = o->ops->cdev_pg_populate(o, pindex, 0, 0, &first, &last);
	if (m == NULL && (copied || error == VM_PAGER_BAD)) {
		/* As vm_fault() does: a new page, which the pager replaces. */
		m = vm_page_alloc_noobj(VM_ALLOC_ZERO | VM_ALLOC_WIRED);
		m->oflags = 0;
		m->busy = true;
		m->ref_count = 0;
		vm_page_insert(m, o, pindex);
		error = o->ops->cdev_pg_fault(o, (vm_ooffset_t)ptoa(pindex), 0, &m);
		if (error != VM_PAGER_OK) {
			leave_object(m);
			vm_page_free(m);
		}
	}
	if (error == VM_PAGER_OK) {
		m = vm_page_lookup(o, pindex);
		KASSERT(m->valid, "");
		m->mapped = true;
		m->busy = false;
	}
	VM_OBJECT_WUNLOCK(o);
	return (error);
}

/* mlock(2) or munlock(2) of a page, which both find in the VM object. */
void
fake_wire(void *vm, uint64_t pindex, int wire)
{
	vm_object_t o = vm;
	vm_page_t m;

	VM_OBJECT_WLOCK(o);
	m = vm_page_lookup(o, pindex);
	KASSERT(m != NULL, "");
	if (wire)
		m->ref_count++;
	else
		vm_page_unwire(m, PQ_ACTIVE);
	VM_OBJECT_WUNLOCK(o);
}

void *
fake_vm_of(struct drm_os_object *obj)
{

	return (drm_object_vm(obj));
}

int
fake_page(void *vm, uint64_t pindex)
{
	vm_object_t o = vm;
	vm_page_t m = pindex < o->most ? o->pages[pindex] : NULL;

	return (m == NULL ? -1 : m->md.pv_memattr);
}

void
fake_unref(void *vm)
{

	vm_object_deallocate(vm);
}
