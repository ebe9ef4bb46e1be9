/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Objects, for the files that implement them: drm_object.c with a VM object
 * (its pages: drm_object_page.c), drm_userptr.c of the memory of a process,
 * drm_object_list.c of all of them.
 */
#ifndef _DRM_OBJECT_H_
#define	_DRM_OBJECT_H_

struct drm_os_object {
	struct drm_os_dev *dev;
	LIST_ENTRY(drm_os_object) link;	/* objects_lock */
	vm_object_t	 vm;		/* NULL: memory of a process */
	uint64_t	 pages;
	vm_memattr_t	 attr;
	bool		 purged;	/* VM object's lock */
	bool		 exposed;	/* processes may have mapped it */
	vm_offset_t	 kva;		/* (VM object) */
	u_int		 kmaps;		/* (VM object) */
	struct ucred	*cred;		/* charged user, or NULL */
	bool		 counted;	/* its pages are user-wired */
	/* Memory of a process. */
	volatile u_int	 refs;
	bool		 write;
	vm_page_t	*held;
};

/* The size of block leaves of GPU page tables. */
#define	BLOCK_PAGES	(1ul << DRM_RUN_ORDER)

/* drm_object_list.c */
void	drm_object_publish(struct drm_os_object *obj, struct drm_os_dev *dev);
void	drm_object_free(struct drm_os_object *obj);

/* drm_page_cache.c */
void	drm_page_restore(vm_page_t m);
vm_page_t drm_pages_get(struct drm_os_object *obj, u_long *npages, int *most);
void	drm_pages_put(struct drm_os_dev *dev, vm_page_t m, u_long npages);

/* drm_object_page.c */
bool	drm_wired_add(struct drm_os_object *obj, u_long npages);
void	drm_wired_sub(struct drm_os_object *obj, u_long npages);
bool	drm_page_is_wired_elsewhere(vm_page_t m);
void	drm_pages_discard(struct drm_os_object *obj, vm_page_t m,
	    u_long npages);
int	drm_object_page_get(struct drm_os_object *obj, vm_pindex_t pindex,
	    vm_page_t *mp);
int	drm_object_pages_get(struct drm_os_object *obj, vm_pindex_t pindex,
	    u_long count, uint64_t *pa, vm_page_t *ma);
void	drm_object_pages_free(struct drm_os_object *obj, bool keep);
bool	drm_object_is_wired_elsewhere(vm_object_t vm);

/* drm_userptr.c */
void	drm_userptr_unref(struct drm_os_object *obj);

#endif /* _DRM_OBJECT_H_ */
