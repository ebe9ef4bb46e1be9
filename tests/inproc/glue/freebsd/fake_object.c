/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VM objects of freebsd.h, each a table of pages, and what processes that map them do: page
 * faults, mlock(2).
 */
#include "freebsd.h"
#include "fake_vm.h"

#undef	free

int
vm_page_insert(vm_page_t m, vm_object_t o, vm_pindex_t pindex)
{

	/* What is not valid is not to be found by others. */
	KASSERT(o->locked && (m->busy || m->valid) && m->object == NULL, "");
	KASSERT(pindex < o->most && o->pages[pindex] == NULL, "");
	KASSERT((m->oflags & VPO_UNMANAGED) == 0, "");
	/* A dirty line would be written back over data that is written past the cache. */
	KASSERT(m->md.pv_memattr == VM_MEMATTR_DEFAULT || !fake_page_dirty(m), "");
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
pmap_remove_all(vm_page_t m)
{

	KASSERT((m->oflags & VPO_UNMANAGED) == 0 && m->busy, "");
	m->mapped = false;
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
