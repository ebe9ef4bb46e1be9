/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of Linux that a few of its files need, in user space. Included before each of them, in
 * place of their headers. Locks and atomics cost as much as the kernel's; memory is from malloc(3);
 * tracing, lock checking and DMA are off.
 */
#ifndef SHIM_H
#define SHIM_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* An exported function. */
#define PEER __attribute__((visibility("default")))

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;
typedef u64 dma_addr_t, phys_addr_t;
typedef unsigned int gfp_t;
typedef s64 ktime_t;

/* Compiler and lists. */
#define __init
#define __exit
#define __initdata
#define __initconst
#define __rcu
#define __must_check
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define BUG_ON(x) do { if (unlikely(x)) abort(); } while (0)
#define VM_BUG_ON(x) do { } while (0)
#define WARN_ON(x) ({ \
	bool bad_ = !!(x); \
	if (unlikely(bad_)) \
		fprintf(stderr, "peer: %s:%d\n", __FILE__, __LINE__); \
	unlikely(bad_); \
})
#define WARN_ON_ONCE WARN_ON
#define WARN(x, ...) WARN_ON(x)
#define EXPORT_SYMBOL(x)
#define EXPORT_SYMBOL_GPL(x)
#define EXPORT_TRACEPOINT_SYMBOL(x)
#define MODULE_DESCRIPTION(x)
#define MODULE_LICENSE(x)
#define module_init(f) int peer_init_##f(void) { return f(); }
#define module_exit(f) void peer_exit_##f(void) { f(); }
#define subsys_initcall(f)
#define lower_32_bits(x) ((u32)(x))

struct list_head { struct list_head *next, *prev; };
#define LIST_HEAD(name) struct list_head name = { &(name), &(name) }
static inline void INIT_LIST_HEAD(struct list_head *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list_head *l) { return READ_ONCE(l->next) == l; }
static inline void list_insert_(struct list_head *n, struct list_head *prev, struct list_head *next)
{
	next->prev = n; n->next = next; n->prev = prev; WRITE_ONCE(prev->next, n);
}
static inline void list_add(struct list_head *n, struct list_head *l)
{
	list_insert_(n, l, l->next);
}
static inline void list_add_tail(struct list_head *n, struct list_head *l)
{
	list_insert_(n, l->prev, l);
}
static inline void list_del(struct list_head *n)
{
	n->next->prev = n->prev; WRITE_ONCE(n->prev->next, n->next);
}
static inline void list_del_init(struct list_head *n) { list_del(n); INIT_LIST_HEAD(n); }
static inline void list_replace(struct list_head *old, struct list_head *n)
{
	n->next = old->next; n->next->prev = n; n->prev = old->prev; n->prev->next = n;
}
#define list_entry container_of
#define list_next_(p, member) list_entry((p)->member.next, __typeof__(*(p)), member)
#define list_prev_(p, member) list_entry((p)->member.prev, __typeof__(*(p)), member)
#define list_first_entry_or_null(l, type, member) \
	(list_empty(l) ? NULL : list_entry((l)->next, type, member))
#define list_for_each_entry(p, l, member) \
	for ((p) = list_entry((l)->next, __typeof__(*(p)), member); &(p)->member != (l); \
	     (p) = list_next_(p, member))
#define list_for_each_entry_continue(p, l, member) \
	for ((p) = list_next_(p, member); &(p)->member != (l); (p) = list_next_(p, member))
#define list_for_each_entry_safe(p, n, l, member) \
	for ((p) = list_entry((l)->next, __typeof__(*(p)), member), (n) = list_next_(p, member); \
	     &(p)->member != (l); \
	     (p) = (n), (n) = list_next_(n, member))
#define list_for_each_entry_safe_reverse(p, n, l, member) \
	for ((p) = list_entry((l)->prev, __typeof__(*(p)), member), (n) = list_prev_(p, member); \
	     &(p)->member != (l); \
	     (p) = (n), (n) = list_prev_(n, member))

/* Bits and sizes. */
#define BIT(n) (1UL << (n))
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define ilog2(n) (63 - __builtin_clzll(n))
#define __fls(n) ((unsigned long)ilog2(n))
#define __ffs(n) ((unsigned long)__builtin_ctzl(n))
#define DIV_ROUND_UP(a, b) (((a) + (b) - 1) / (b))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))
#define SZ_4K 0x1000UL
#define SZ_16K 0x4000UL
#define SZ_64K 0x10000UL
#define SZ_2M 0x200000UL
#define SZ_32M 0x2000000UL
#define SZ_512M 0x20000000UL
#define SZ_1G 0x40000000UL
#define SZ_64G 0x1000000000ULL
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

/* Atomics, barriers, locks. */
typedef struct { int counter; } atomic_t;
typedef struct { s64 counter; } atomic64_t;
typedef struct { long counter; } atomic_long_t;
#define ATOMIC64_INIT(n) { n }
#define atomic_set(v, n) WRITE_ONCE((v)->counter, n)
#define atomic_read(v) READ_ONCE((v)->counter)
#define atomic_inc(v) ((void)__atomic_fetch_add(&(v)->counter, 1, __ATOMIC_SEQ_CST))
#define atomic_dec(v) ((void)__atomic_fetch_sub(&(v)->counter, 1, __ATOMIC_SEQ_CST))
#define atomic_inc_return(v) __atomic_add_fetch(&(v)->counter, 1, __ATOMIC_SEQ_CST)
#define atomic64_set atomic_set
#define atomic64_inc_return atomic_inc_return
#define atomic64_fetch_add(n, v) __atomic_fetch_add(&(v)->counter, n, __ATOMIC_SEQ_CST)
#define atomic_long_set atomic_set
#define atomic_long_xchg(v, n) __atomic_exchange_n(&(v)->counter, n, __ATOMIC_SEQ_CST)
#define cmpxchg(p, old, new) __sync_val_compare_and_swap(p, old, new)
#define cmpxchg64_relaxed cmpxchg
#define atomic_long_cmpxchg(v, old, new) cmpxchg(&(v)->counter, old, new)
#define smp_mb__after_atomic() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define rmb smp_rmb
#define wmb smp_wmb
#define dma_wmb smp_wmb
#define cpu_relax() do { } while (0)
#define preempt_disable() do { } while (0)
#define preempt_enable() do { } while (0)
#define test_bit(n, p) (!!(READ_ONCE(*(p)) & BIT(n)))
#define set_bit(n, p) ((void)__atomic_fetch_or(p, BIT(n), __ATOMIC_SEQ_CST))
#define test_and_set_bit(n, p) (!!(__atomic_fetch_or(p, BIT(n), __ATOMIC_SEQ_CST) & BIT(n)))
typedef struct { int taken; } spinlock_t;
#define DEFINE_SPINLOCK(name) spinlock_t name = { 0 }
static inline void spin_lock_init(spinlock_t *l) { l->taken = 0; }
static inline void spin_lock(spinlock_t *l)
{
	while (__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE)) cpu_relax();
}
static inline void spin_unlock(spinlock_t *l) { __atomic_store_n(&l->taken, 0, __ATOMIC_RELEASE); }
#define spin_lock_irqsave(l, f) do { (void)(f); spin_lock(l); } while (0)
#define spin_unlock_irqrestore(l, f) spin_unlock(l)
#define lockdep_assert_held(l) do { } while (0)

/* References and memory. RCU callbacks run at once. */
struct kref { atomic_t refcount; };
struct rcu_head { void (*func)(struct rcu_head *); };
static inline void kref_init(struct kref *k) { atomic_set(&k->refcount, 1); }
static inline unsigned int kref_read(struct kref *k) { return atomic_read(&k->refcount); }
static inline void kref_get(struct kref *k)
{
	__atomic_fetch_add(&k->refcount.counter, 1, __ATOMIC_RELAXED);
}
static inline int kref_put(struct kref *k, void (*release)(struct kref *))
{
	if (__atomic_sub_fetch(&k->refcount.counter, 1, __ATOMIC_ACQ_REL))
		return 0;
	release(k);
	return 1;
}
static inline bool kref_get_unless_zero(struct kref *k)
{
	return kref_read(k) && (kref_get(k), true);
}
#define call_rcu(head, f) ((f)(head))
#define kfree_rcu(p, member) free(p)
#define rcu_barrier() do { } while (0)
#define rcu_dereference(p) READ_ONCE(p)
#define rcu_access_pointer(p) READ_ONCE(p)
#define rcu_pointer_handoff(p) (p)
#define GFP_KERNEL 1u
#define GFP_ATOMIC 2u
#define __GFP_ZERO 4u
#define __GFP_HIGHMEM 8u
#define SLAB_HWCACHE_ALIGN 0
#define kmalloc(size, gfp) malloc(size)
#define kzalloc(size, gfp) calloc(1, size)
#define kcalloc(n, size, gfp) calloc(n, size)
#define kfree free
struct kmem_cache { size_t size; };
static inline struct kmem_cache *kmem_cache_create(const char *name, size_t size, int align,
						   int flags, void *ctor)
{
	struct kmem_cache *c = malloc(sizeof(*c));
	if (c) c->size = size;
	return c;
}
#define kmem_cache_destroy free
#define kmem_cache_zalloc(c, gfp) calloc(1, (c)->size)
#define kmem_cache_free(c, p) free(p)
#define MAX_ERRNO 4095
#define ERESTARTSYS 512
#define IS_ERR(p) ((unsigned long)(p) >= (unsigned long)-MAX_ERRNO)
#define IS_ERR_OR_NULL(p) (!(p) || IS_ERR(p))
#define PTR_ERR(p) ((long)(p))

/* Pages: an address is its own physical and DMA address. */
struct page;
struct device;
enum { DMA_TO_DEVICE };
#define get_order(size) ((size) <= PAGE_SIZE ? 0 : ilog2((size) - 1) + 1 - PAGE_SHIFT)
#define dev_to_node(dev) 0
static inline void *alloc_pages_node(int node, gfp_t gfp, int order)
{
	void *p = aligned_alloc(PAGE_SIZE << order, PAGE_SIZE << order);
	return p && (gfp & __GFP_ZERO) ? memset(p, 0, PAGE_SIZE << order) : p;
}
#define page_address(p) ((void *)(p))
#define __free_pages(p, order) free(p)
#define free_pages(a, order) free((void *)(a))
#define virt_to_phys(p) ((phys_addr_t)(uintptr_t)(p))
#define __pa virt_to_phys
#define __va(a) ((void *)(uintptr_t)(a))
#define dma_map_single(dev, p, size, dir) virt_to_phys(p)
#define dma_mapping_error(dev, a) 0
#define dma_unmap_single(dev, a, size, dir) do { } while (0)
#define dma_sync_single_for_device(dev, a, size, dir) do { (void)(a); } while (0)
#define dev_err(dev, ...) fprintf(stderr, __VA_ARGS__)
#define pr_err(...) fprintf(stderr, __VA_ARGS__)
enum {
	IOMMU_READ = 1, IOMMU_WRITE = 2, IOMMU_CACHE = 4, IOMMU_NOEXEC = 8, IOMMU_MMIO = 16,
	IOMMU_PRIV = 32,
};
struct iommu_iotlb_gather { bool queued; };
#define iommu_iotlb_gather_queued(g) ((g) && (g)->queued)

/* Threads. The scheduler's main function runs in the caller's thread, until it would wait. */
struct task_struct { struct task_struct *group_leader; unsigned int flags; int exit_code; };
extern struct task_struct peer_task;
extern bool peer_would_wait;
#define current (&peer_task)
#define PF_EXITING 1
#define SIGKILL 9
#define kthread_run(f, arg, name) (&peer_task)
#define kthread_stop(t) do { } while (0)
#define kthread_park(t) do { } while (0)
#define kthread_unpark(t) do { } while (0)
#define kthread_parkme() do { } while (0)
#define kthread_should_park() false
#define kthread_should_stop() peer_would_wait
#define sched_set_fifo_low(t) do { } while (0)
typedef struct { bool woken; } wait_queue_head_t;
#define init_waitqueue_head(w) ((w)->woken = false)
#define wake_up(w) ((w)->woken = true)
#define wake_up_interruptible wake_up
#define wake_up_all wake_up
#define wait_event_interruptible(w, cond) do { if (!(cond)) peer_would_wait = true; } while (0)
#define wait_event_killable(w, cond) do { (void)(cond); } while (0)
#define wait_event_timeout(w, cond, t) ((cond) ? (t) : 0)
struct completion { unsigned int done; };
#define init_completion(c) ((c)->done = 0)
#define reinit_completion(c) ((c)->done = 0)
#define complete(c) ((c)->done++)
#define wait_for_completion(c) do { } while (0)
struct work_struct { void (*func)(struct work_struct *); };
struct timer_list { unsigned long expires; };
struct delayed_work { struct work_struct work; struct timer_list timer; bool pending; };
struct workqueue_struct;
#define system_wq ((struct workqueue_struct *)NULL)
#define INIT_WORK(w, f) ((w)->func = (f))
#define INIT_DELAYED_WORK(w, f) ((w)->work.func = (f), (w)->pending = false)
#define schedule_work(w) ((w)->func(w))
#define queue_delayed_work(q, w, t) ((w)->timer.expires = (t), (w)->pending = true)
#define mod_delayed_work queue_delayed_work
#define cancel_delayed_work(w) ((w)->pending = false)
#define cancel_delayed_work_sync cancel_delayed_work
#define jiffies 0UL
#define time_after(a, b) ((long)((b) - (a)) < 0)
#define MAX_SCHEDULE_TIMEOUT LONG_MAX
#define msecs_to_jiffies(ms) (ms)
#define HZ 1000
enum { TASK_RUNNING, TASK_INTERRUPTIBLE, TASK_UNINTERRUPTIBLE, TASK_NORMAL };
#define set_current_state(s) do { } while (0)
#define __set_current_state(s) do { } while (0)
#define schedule_timeout(t) 0
#define signal_pending(t) false
#define wake_up_state(t, s) do { (void)(t); } while (0)
#define might_sleep() do { } while (0)
static inline ktime_t ktime_get(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The jobs have no dependencies. */
struct xarray { void *head; };
#define XA_FLAGS_ALLOC 0
#define xa_limit_32b 0
#define xa_init_flags(x, f) ((x)->head = NULL)
#define xa_empty(x) (!(x)->head)
#define xa_erase(x, i) NULL
#define xa_destroy(x) do { } while (0)
#define xa_store(x, i, e, gfp) do { } while (0)
#define xa_alloc(x, id, e, limit, gfp) (-ENOMEM)
#define xa_for_each(x, i, e) for ((i) = 0, (e) = (x)->head; (e); (e) = NULL)
struct dma_resv;
struct drm_gem_object { struct dma_resv *resv; };
struct dma_resv_iter { int at; };
#define dma_resv_assert_held(r) do { } while (0)
#define dma_resv_usage_rw(w) 0
#define dma_resv_for_each_fence(c, r, u, f) for ((f) = NULL; (f);)

/* Output. */
struct seq_file;
#define seq_printf(s, ...) do { } while (0)
#define DRM_ERROR(...) fprintf(stderr, __VA_ARGS__)
#define DRM_WARN(...) fprintf(stderr, __VA_ARGS__)
#define DRM_DEV_ERROR(dev, ...) fprintf(stderr, __VA_ARGS__)
#define trace_drm_sched_job(...) do { } while (0)
#define trace_drm_run_job(...) do { } while (0)
#define trace_drm_sched_process_job(...) do { } while (0)
#define trace_drm_sched_job_wait_dep(...) do { } while (0)
#define trace_dma_fence_init(...) do { } while (0)
#define trace_dma_fence_destroy(...) do { } while (0)
#define trace_dma_fence_signaled(...) do { } while (0)
#define trace_dma_fence_enable_signal(...) do { } while (0)
#define trace_dma_fence_wait_start(...) do { } while (0)
#define trace_dma_fence_wait_end(...) do { } while (0)

#endif
