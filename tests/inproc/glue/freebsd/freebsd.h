/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of FreeBSD's kernel that the glue's files use, for the host's compiler. build.rs
 * creates a header for each name that they include, and this file replaces all of them. The
 * memory files have one processor, one thread, a little memory: fake_vm.h lists the files that have
 * the functions. Those that are tested with threads have locks, a clock and a limit of swap:
 * threads.h, fake_threads.c. A call that is not allowed aborts the process.
 */
#ifndef GLUE_FREEBSD_H
#define	GLUE_FREEBSD_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned int u_int;
typedef unsigned short u_short;
typedef unsigned long u_long;
typedef int boolean_t;
typedef uint64_t vm_paddr_t, vm_offset_t, vm_pindex_t, vm_size_t;
typedef int64_t vm_ooffset_t;
typedef int vm_prot_t, vm_memattr_t;
typedef void *device_t;
typedef struct module *module_t;
typedef int (*modeventhand_t)(module_t, int, void *);

#define	__unused	__attribute__((__unused__))
#define	PAGE_SIZE	4096ul
#define	PAGE_MASK	(PAGE_SIZE - 1)
#define	atop(x)		((u_long)(x) / PAGE_SIZE)
#define	ptoa(x)		((uint64_t)(x) * PAGE_SIZE)
#define	OFF_TO_IDX(x)	((vm_pindex_t)(x) / PAGE_SIZE)
#define	MIN(a, b)	((a) < (b) ? (a) : (b))
#define	flsl(x)		((x) == 0 ? 0 : 64 - __builtin_clzl((u_long)(x)))
#define	powerof2(x)	((((x) - 1) & (x)) == 0)
#define	KASSERT(what, text)	do { if (!(what)) fake_die(#what); } while (0)

#ifdef GLUE_THREADS
#include "threads.h"
#else
/* Locks: that the right one is held is checked, for the VM object. */
struct mtx { bool held; };
struct sx { bool held; };
struct callout { int unused; };
struct cv {
	int	unused;
};
#define	MTX_DEF		0
#define	mtx_init(m, name, type, flags)	((void)((m)->held = false))
#define	mtx_destroy(m)	((void)(m))
#define	mtx_lock(m)	((void)((m)->held = true))
#define	mtx_unlock(m)	((void)((m)->held = false))
/* Time stands still. */
typedef int64_t sbintime_t;
#define	getsbinuptime()	((sbintime_t)0)
extern struct thread *curthread;
#endif
void	fake_die(const char *what) __attribute__((__noreturn__));

/* sys/queue.h */
#define	LIST_HEAD(name, type)	struct name { struct type *first; }
#define	LIST_ENTRY(type)	struct { struct type *next, **prev; }
#define	LIST_INIT(head)		((head)->first = NULL)
#define	LIST_FIRST(head)	((head)->first)
#define	LIST_INSERT_HEAD(head, elm, field) do {				\
	if (((elm)->field.next = (head)->first) != NULL)		\
		(head)->first->field.prev = &(elm)->field.next;		\
	(head)->first = (elm);						\
	(elm)->field.prev = &(head)->first;				\
} while (0)
#define	LIST_REMOVE(elm, field) do {					\
	if ((elm)->field.next != NULL)					\
		(elm)->field.next->field.prev = (elm)->field.prev;	\
	*(elm)->field.prev = (elm)->field.next;				\
} while (0)
#define	SLIST_HEAD(name, type)	struct name { struct type *first; }
#define	SLIST_ENTRY(type)	struct { struct type *next; }
#define	SLIST_INIT(head)	((void)((head)->first = NULL))
#define	SLIST_FIRST(head)	((head)->first)
#define	SLIST_INSERT_HEAD(head, elm, field)				\
	((void)((elm)->field.next = (head)->first, (head)->first = (elm)))
#define	SLIST_REMOVE_HEAD(head, field)					\
	((void)((head)->first = (head)->first->field.next))
#define	TAILQ_HEAD(name, type)	struct name { struct type *first, **last; }
#define	TAILQ_ENTRY(type)	struct { struct type *next, **prev; }

/* malloc(9), atomic(9), refcount(9) */
struct malloc_type;
#define	MALLOC_DECLARE(type)	extern struct malloc_type *type
#define	M_WAITOK	2
#define	M_ZERO		0x100
#define	malloc(size, type, flags)	calloc(1, size)
#define	mallocarray(n, size, type, flags)	calloc(n, size)
#define	free(p, type)	(free)(p)
#define	atomic_add_int(p, n)	((void)(*(p) += (n)))
#define	atomic_subtract_int(p, n)	((void)(*(p) -= (n)))
#define	atomic_load_int(p)	(*(p))
#define	atomic_load_long(p)	(*(p))
#define	atomic_subtract_long(p, n)	((void)(*(p) -= (n)))
#define	atomic_fcmpset_long(p, old, new)				\
	(*(p) == *(old) ? (*(p) = (new), true) : (*(old) = *(p), false))
#define	refcount_init(p, n)	((void)(*(p) = (n)))
#define	refcount_acquire(p)	((void)++*(p))
#define	refcount_release(p)	(--*(p) == 0)
#define	refcount_acquire_if_not_zero(p)	(*(p) != 0 && ++*(p) != 0)
#define	strlcpy(to, from, len)	snprintf(to, len, "%s", from)
#define	pause(why, ticks)	fake_die("pause")

struct ucred;
struct vmspace;
struct proc {
	int p_flag;
	struct vmspace *p_vmspace;
};
struct domainset;
struct thread {
	struct proc *td_proc;
	struct ucred *td_ucred;
	struct { struct domainset *dr_policy; } td_domain;
};
#define	P_KPROC		4
#define	curproc		(curthread->td_proc)
#define	crhold(cred)	(cred)
#define	crfree(cred)	((void)(cred))
extern long physmem;
extern u_long vm_user_wire_count, vm_page_max_user_wired;
extern int hz;
struct sysctl_ctx_list { void *first; };
struct sysctl_oid_list;
struct clk;
struct regulator;

/* vm/vm_page.h */
struct vm_object;
typedef struct vm_page {
	struct vm_object *object;
	vm_pindex_t pindex;
	struct { vm_memattr_t pv_memattr; } md;
	u_int ref_count;
	uint8_t flags, oflags;
	union {
		struct { u_long p, v; } memguard;
		struct { SLIST_ENTRY(vm_page) ss; } s;
	} plinks;
	/* The fake's own. */
	bool busy, shared, valid, dirty, allocated, mapped;
} *vm_page_t;
#define	PG_FICTITIOUS	2
#define	VPO_UNMANAGED	4
#define	VPRC_OBJREF	0x80000000u
#define	VPRC_WIRE_COUNT(c)	((c) & ~VPRC_OBJREF)
#define	VM_MEMATTR_DEVICE	0
#define	VM_MEMATTR_UNCACHEABLE	1
#define	VM_MEMATTR_DEFAULT	2
#define	pmap_page_get_memattr(m)	((m)->md.pv_memattr)
#define	VM_ALLOC_NORMAL	0
#define	VM_ALLOC_WAITFAIL	2
#define	VM_ALLOC_WIRED	0x20
#define	VM_ALLOC_ZERO	0x40
#define	VM_ALLOC_SBUSY	0x200
#define	VM_ALLOC_NORECLAIM	0x400
#define	PQ_ACTIVE	1
vm_paddr_t	fake_pa(vm_page_t m);
void	*fake_dmap(vm_paddr_t pa);
#define	VM_PAGE_TO_PHYS(m)	fake_pa(m)
#define	PHYS_TO_DMAP(pa)	((uintptr_t)fake_dmap(pa))
vm_page_t vm_phys_paddr_to_vm_page(vm_paddr_t pa);
vm_page_t vm_page_alloc_noobj(int req);
vm_page_t vm_page_alloc_noobj_contig(int req, u_long npages, vm_paddr_t low,
	    vm_paddr_t high, u_long alignment, vm_paddr_t boundary,
	    vm_memattr_t attr);
int	vm_page_reclaim_contig(int req, u_long npages, vm_paddr_t low,
	    vm_paddr_t high, u_long alignment, vm_paddr_t boundary);
void	vm_waitpfault(struct domainset *set, int ticks);
bool	vm_page_busy_acquire(vm_page_t m, int how);
#define	vm_page_busied(m)	((m)->busy || (m)->shared)
#define	vm_page_xunbusy(m)	((void)((m)->busy = false))
#define	vm_page_sunbusy(m)	((void)((m)->shared = false))
#define	VM_PAGE_BITS_ALL	1
#define	vm_page_none_valid(m)	(!(m)->valid)
#define	vm_page_dirty(m)	((void)((m)->dirty = true))
bool	vm_page_unwire_noq(vm_page_t m);
void	vm_page_unwire(vm_page_t m, int queue);
void	vm_page_free(vm_page_t m);
void	vm_page_unhold_pages(vm_page_t *ma, int count);
int	vm_page_insert(vm_page_t m, struct vm_object *object, vm_pindex_t pindex);
void	vm_page_replace(vm_page_t new, struct vm_object *object,
	    vm_pindex_t pindex, vm_page_t old);
vm_page_t vm_page_lookup(struct vm_object *object, vm_pindex_t pindex);
void	pmap_remove_all(vm_page_t m);
void	pmap_zero_page(vm_page_t m);
void	pmap_qenter(vm_offset_t va, vm_page_t *ma, int count);
void	pmap_qremove(vm_offset_t va, int count);
vm_offset_t kva_alloc(vm_size_t size);
void	kva_free(vm_offset_t va, vm_size_t size);
void	cpu_dcache_wb_range(void *at, vm_size_t len);
void	cpu_dcache_wbinv_range(void *at, vm_size_t len);

/* vm/vm_object.h, vm/vm_pager.h */
struct cdev_pager_ops {
	int	(*cdev_pg_fault)(struct vm_object *, vm_ooffset_t, int, vm_page_t *);
	int	(*cdev_pg_populate)(struct vm_object *, vm_pindex_t, int, vm_prot_t, vm_pindex_t *,
		    vm_pindex_t *);
	int	(*cdev_pg_ctor)(void *, vm_ooffset_t, vm_prot_t, vm_ooffset_t, struct ucred *,
		    u_short *);
	void	(*cdev_pg_dtor)(void *);
	void	(*cdev_pg_path)(void *, char *, size_t);
};
typedef struct vm_object {
	void *handle;
	const struct cdev_pager_ops *ops;
	int type, flags;
	u_int ref_count;
	vm_pindex_t size;
	int resident_page_count;
	bool locked;
	vm_page_t *pages;	/* `most` of them */
	vm_pindex_t most;
} *vm_object_t;
#define	OBJT_MGTDEVICE	1
#define	OBJT_DEAD	2
#define	OBJ_FICTITIOUS	1
#define	OBJ_DEAD	8
#define	OBJ_PG_DTOR	0x80
#define	OBJ_POPULATE	0x100
#define	VM_PAGER_OK	0
#define	VM_PAGER_BAD	1
#define	VM_PAGER_ERROR	4
#define	VM_PROT_READ	1
#define	VM_PROT_WRITE	2
void	fake_lock(vm_object_t object, bool locked);
#define	VM_OBJECT_WLOCK(o)	fake_lock(o, true)
#define	VM_OBJECT_WUNLOCK(o)	fake_lock(o, false)
#define	VM_OBJECT_RLOCK(o)	fake_lock(o, true)
#define	VM_OBJECT_RUNLOCK(o)	fake_lock(o, false)
#define	VM_OBJECT_ASSERT_WLOCKED(o)	KASSERT((o)->locked, "")
#define	vm_object_set_flag(o, f)	((void)((o)->flags |= (f)))
#define	vm_object_clear_flag(o, f)	((void)((o)->flags &= ~(f)))
#define	vm_object_reference(o)	((void)(o)->ref_count++)
#define	vm_object_pip_wait(o, why)	((void)(o))
void	vm_object_deallocate(vm_object_t object);
void	vm_pager_deallocate(vm_object_t object);
vm_object_t cdev_pager_allocate(void *handle, int type, const struct cdev_pager_ops *ops,
	    vm_ooffset_t size, vm_prot_t prot, vm_ooffset_t off, struct ucred *cred);
bool	swap_reserve_by_cred(vm_ooffset_t size, struct ucred *cred);
void	swap_release_by_cred(vm_ooffset_t size, struct ucred *cred);

/* vm/vm_radix.h: an iterator is at `next`. */
struct pctrie_iter { vm_object_t object; vm_pindex_t next; };
#define	vm_page_iter_init(it, o)	((void)(*(it) = (struct pctrie_iter){ o, 0 }))
#define	pctrie_iter_reset(it)	((void)((it)->next = 0))
vm_page_t vm_radix_iter_lookup_ge(struct pctrie_iter *it, vm_pindex_t from);
#define	VM_RADIX_FOREACH(m, it)						\
	for (m = vm_radix_iter_lookup_ge(it, 0); m != NULL;		\
	    m = vm_radix_iter_lookup_ge(it, (it)->next))
bool	vm_page_iter_remove(struct pctrie_iter *it, vm_page_t m);
int	vm_page_iter_insert(vm_page_t m, struct vm_object *object, vm_pindex_t pindex,
	    struct pctrie_iter *it);

/* vm/vm_map.h */
struct vm_map { int unused; };
typedef struct vm_map *vm_map_t;
struct vmspace { struct vm_map vm_map; };
int	vm_fault_quick_hold_pages(vm_map_t map, vm_offset_t addr, vm_size_t len, vm_prot_t prot,
	    vm_page_t *ma, int max);

/* Of two implementations of drm_os.h in one program, this is the other one. */
#define	drm_os_object_create		fbsd_object_create
#define	drm_os_object_create_user	fbsd_object_create_user
#define	drm_os_object_ref		fbsd_object_ref
#define	drm_os_object_unref		fbsd_object_unref
#define	drm_os_object_wire		fbsd_object_wire
#define	drm_os_object_purge		fbsd_object_purge
#define	drm_os_object_resident		fbsd_object_resident
#define	drm_os_object_kmap		fbsd_object_kmap
#define	drm_os_object_kunmap		fbsd_object_kunmap
#define	drm_os_object_sync		fbsd_object_sync
#define	drm_os_page_alloc		fbsd_page_alloc
#define	drm_os_page_free		fbsd_page_free
#define	drm_os_page_kva			fbsd_page_kva
#define	drm_os_page_sync		fbsd_page_sync
#define	drm_os_run_alloc		fbsd_run_alloc
#define	drm_os_run_free			fbsd_run_free
#define	drm_os_run_sync			fbsd_run_sync

#endif /* GLUE_FREEBSD_H */
