/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Declarations that the files of this directory share: the structures of
 * drm_os.h's opaque handles.  drm_os.h specifies each call.
 */
#ifndef _DRM_GLUE_H_
#define	_DRM_GLUE_H_

#include <sys/param.h>
#include <sys/systm.h>
#include <sys/kernel.h>
#include <sys/malloc.h>
#include <sys/module.h>
#include <sys/lock.h>
#include <sys/mutex.h>
#include <sys/sx.h>
#include <sys/condvar.h>
#include <sys/callout.h>
#include <sys/queue.h>
#include <sys/bus.h>
#include <sys/sysctl.h>

#include <dev/drm/kpi/include/drm_os.h>

MALLOC_DECLARE(M_DRM);

struct cdev;
struct file;
struct taskqueue;
struct thread;
struct vm_object;

/* The only instance. */
/* A power of two: enough that two busy objects seldom share. */
#define	DRM_POOL_SIZE	128

struct drm_os_mtx {
	struct mtx	 m;
};

struct drm_os_cv {
	struct cv	 cv;
	bool		 pooled;
	u_int		 distant;	/* (its mutex) if pooled; see drm_lock.c */
};

struct drm_os {
	volatile uint64_t last_unique;
	/* drm_os_pool_get() */
	struct drm_os_mtx pool_mtx[DRM_POOL_SIZE];
	struct drm_os_cv pool_cv[DRM_POOL_SIZE];
	struct callout	 pool_callout;
	volatile u_int	 pool_ticks;	/* the callout is armed */
	struct sx	 devs_lock;
	TAILQ_HEAD(, drm_os_dev) devs;	/* (devs_lock) attached ones */
	/* drm_unload.c describes these. */
	volatile u_int	 live;
	volatile u_int	 calls;
	struct mtx	 gate;
	bool		 closed;	/* (gate) */
	bool		 forced;	/* kld_sx, as the next two */
	bool		 leaving;
	u_int		 modules;
	/* Own threads: nothing here may wait for a queue of the kernel. */
	struct taskqueue *notes;
	struct taskqueue *lowmem;
};
extern struct drm_os drm_os;

/* Pages that buffers have freed, in aligned runs of 2^n, by n. */
#define	DRM_RUN_ORDER	9		/* 2 MiB */
struct drm_page_cache {
	struct mtx	 lock;
	SLIST_HEAD(, vm_page) runs[DRM_RUN_ORDER + 1];
	u_long		 pages;		/* in all of them */
	u_long		 limit;		/* 0: the device is detached */
};

struct drm_os_dev {
	device_t	 dev;
	char		 name[16];
	const struct drm_os_driver *driver;
	volatile u_int	 refs;
	vm_paddr_t	 high;		/* last address of its tables */
	vm_paddr_t	 data_high;	/* last address of its objects */
	bool		 coherent;
	struct drm_page_cache page_cache;
	struct sx	 lock;		/* softc against statistics and lowmem */
	void		*softc;		/* (lock) */
	TAILQ_ENTRY(drm_os_dev) link;
	struct sysctl_ctx_list sysctls;
	int		 index;		/* N of card N; -1 without nodes */
	volatile u_int	 opened;	/* files of its nodes */
	char		 busid[64];
	char		 compatible[256];
	char		 title[32];
	struct drm_power_domain *power;	/* NULL: none, as the next three */
	struct drm_opp	*opp;
	struct clk	*opp_clk;
	struct regulator *opp_regulator;
};

struct drm_os_minor;

/* A system call in progress; this is on the stack of its thread. */
struct drm_os_caller {
	struct thread	*td;
	struct drm_os_minor *minor;	/* NULL: no node's file */
	struct cv	*waits_for;	/* (minor) */
	LIST_ENTRY(drm_os_caller) link;	/* (minor) while it waits */
	/* The descriptor that was made for it, closed if it fails. */
	struct file	*new_file;
	int		 new_fd;
};

/* minor: NULL for a dma-buf or a sync_file. */
static inline void
drm_caller_init(struct drm_os_caller *caller, struct thread *td,
    struct drm_os_minor *minor)
{

	caller->td = td;
	caller->minor = minor;
	caller->waits_for = NULL;
	caller->new_file = NULL;
	caller->new_fd = -1;
}

/* drm_page_cache.c */
void	drm_page_cache_init(struct drm_page_cache *cache);
void	drm_page_cache_trim(struct drm_page_cache *cache);
void	drm_page_cache_close(struct drm_page_cache *cache);
void	drm_page_cache_destroy(struct drm_page_cache *cache);

/* drm_newbus.c */
void	drm_dev_hold(struct drm_os_dev *dev);
void	drm_dev_release(struct drm_os_dev *dev);
void	drm_newbus_init(void);
void	drm_newbus_uninit(void);

/* drm_call.c */
int	drm_call_ioctl(const struct drm_os_file_ops *ops, void *priv,
	    struct drm_os_caller *caller, u_long cmd, void *data);
int	drm_call_mmap(const struct drm_os_file_ops *ops, void *priv,
	    vm_ooffset_t *offset, vm_size_t size, struct vm_object **objectp);

/* drm_file.c */
void	drm_files_revoke(void);
void	drm_files_release(void);

/* drm_linux.c */
void	drm_linux_init(void);
void	drm_linux_uninit(void);

/* drm_lock.c */
void	drm_locks_init(void);
void	drm_locks_uninit(void);
void	drm_pool_wake(void);

/* drm_node.c */
bool	drm_minor_wait_begin(struct drm_os_caller *caller, struct cv *cv);
void	drm_minor_wait_end(struct drm_os_caller *caller);
bool	drm_minor_dying(const struct drm_os_caller *caller);

/* drm_kern.c */
void	drm_malloc_init(void);
void	drm_malloc_uninit(void);

/* drm_object.c */
struct vm_object *drm_object_vm(struct drm_os_object *obj);
void	drm_objects_init(void);
int	drm_objects_revoke(sbintime_t end);
void	drm_objects_uninit(void);

/* drm_page.c */
void	drm_page_wait(vm_paddr_t high, u_long npages);
void	drm_cache_sync(struct drm_os_dev *dev, vm_paddr_t pa, size_t len,
	    uint32_t dir);

/* drm_power.c */
int	drm_dev_power_attach(struct drm_os_dev *dev);
void	drm_dev_power_detach(struct drm_os_dev *dev);
void	drm_dev_power_sysctls(struct drm_os_dev *dev,
	    struct sysctl_oid_list *list);

/* drm_sysctl.c */
void	drm_dev_sysctls(struct drm_os_dev *dev);

/* drm_unload.c */
bool	drm_unload_enter(void);
int	drm_unload_modevent(module_t mod, int what, void *arg,
	    modeventhand_t handler);
void	drm_unload_init(void);
void	drm_unload_uninit(void);

#endif /* _DRM_GLUE_H_ */
