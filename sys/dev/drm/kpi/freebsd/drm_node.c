/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Device nodes.  /dev/drm/N is the node and /dev/dri/cardN or renderDN an
 * alias, as with drm-kmod; numbers that drm-kmod uses are skipped.
 */
#include "drm_glue.h"

#include <sys/conf.h>
#include <sys/event.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/poll.h>
#include <sys/proc.h>
#include <sys/selinfo.h>
#include <vm/vm.h>

#include <dev/ofw/openfirm.h>
#include <dev/ofw/ofw_bus.h>

/* The limit of libdrm. */
#define	CARDS		10
#define	RENDER_BASE	128

struct drm_os_minor {
	struct drm_os_dev *dev;
	struct cdev	*cdev;
	struct cdev	*alias;
	drm_os_open_fn	*open;
	void		*arg;
	const struct drm_os_file_ops *ops;
	struct mtx	 lock;
	volatile bool	 dying;		/* (lock) to write */
	LIST_HEAD(, drm_os_caller) waiting;	/* (lock) */
	struct knlist	 notes;		/* never activated */
};

/*
 * A node's file has the methods of devfs, but for two things that a cdevsw
 * does not control: buffers are not dumped in core files, and mprotect(2) must
 * not make executable what mmap(2) refuses to.  So a file's first ioctl,
 * without which no buffer can be mapped, replaces its methods by a copy of
 * devfs's table.  Files that outlive the module keep the copy, with devfs's
 * functions in it.
 */
static const struct fileops *devfs_ops;
static struct fileops *node_ops;
static volatile u_int	node_files;	/* that have node_ops */

/* A file of a node. */
struct drm_open {
	struct drm_os_dev *dev;
	const struct drm_os_file_ops *ops;
	void		*priv;
};

static d_open_t		node_open;
static d_ioctl_t	node_ioctl;
static d_mmap_single_t	node_mmap;
static d_poll_t		node_poll;
static d_kqfilter_t	node_kqfilter;
static d_purge_t	node_purge;

static struct cdevsw node_cdevsw = {
	.d_version =	D_VERSION,
	.d_name =	"drm",
	.d_open =	node_open,
	.d_ioctl =	node_ioctl,
	.d_mmap_single = node_mmap,
	.d_poll =	node_poll,
	.d_kqfilter =	node_kqfilter,
	.d_purge =	node_purge,
};

/*
 * Records that a caller is about to sleep on cv, which is not one of the pool.
 * Returns false if its device is being detached.
 */
bool
drm_minor_wait_begin(struct drm_os_caller *caller, struct cv *cv)
{
	struct drm_os_minor *minor = caller->minor;

	if (minor == NULL)
		return (true);
	mtx_lock(&minor->lock);
	if (minor->dying) {
		mtx_unlock(&minor->lock);
		return (false);
	}
	caller->waits_for = cv;
	LIST_INSERT_HEAD(&minor->waiting, caller, link);
	mtx_unlock(&minor->lock);
	return (true);
}

void
drm_minor_wait_end(struct drm_os_caller *caller)
{
	struct drm_os_minor *minor = caller->minor;

	if (minor == NULL)
		return;
	mtx_lock(&minor->lock);
	LIST_REMOVE(caller, link);
	caller->waits_for = NULL;
	mtx_unlock(&minor->lock);
}

/*
 * Whether a caller's device is being detached.  One that asks with a mutex of
 * the pool held, and sleeps on the condition variable, is woken by node_purge.
 */
bool
drm_minor_dying(const struct drm_os_caller *caller)
{

	return (caller->minor != NULL && caller->minor->dying);
}

/*
 * Called repeatedly while the node is being destroyed and threads are in it.
 */
static void
node_purge(struct cdev *cdev)
{
	struct drm_os_minor *minor = cdev->si_drv1;
	struct drm_os_caller *caller;

	mtx_lock(&minor->lock);
	minor->dying = true;
	LIST_FOREACH(caller, &minor->waiting, link)
		cv_broadcast(caller->waits_for);
	mtx_unlock(&minor->lock);
	drm_pool_wake();
}

static void
node_release(void *arg)
{
	struct drm_open *opened = arg;

	opened->ops->release(opened->priv);
	atomic_subtract_int(&opened->dev->opened, 1);
	drm_dev_release(opened->dev);
	free(opened, M_DRM);
	atomic_subtract_int(&drm_os.live, 1);
}

static int
node_open(struct cdev *cdev, int flags __unused, int type __unused,
    struct thread *td)
{
	struct drm_os_minor *minor = cdev->si_drv1;
	struct drm_os_caller caller;
	struct drm_open *opened;
	int error;

	if (!drm_unload_enter())
		return (ENXIO);
	opened = malloc(sizeof(*opened), M_DRM, M_WAITOK | M_ZERO);
	drm_caller_init(&caller, td, minor);
	error = minor->open(minor->arg, &caller, &opened->priv);
	if (error != 0) {
		free(opened, M_DRM);
		atomic_subtract_int(&drm_os.live, 1);
		return (error);
	}
	drm_dev_hold(minor->dev);
	opened->dev = minor->dev;
	opened->ops = minor->ops;
	atomic_add_int(&opened->dev->opened, 1);
	error = devfs_set_cdevpriv(opened, node_release);
	if (error != 0)
		node_release(opened);
	return (error);
}

/* Threads in these two are not counted, so each must end in a jump. */
static int
node_file_mmap(struct file *fp, vm_map_t map, vm_offset_t *addr,
    vm_size_t size, vm_prot_t prot, vm_prot_t cap_maxprot, int flags,
    vm_ooffset_t foff, struct thread *td)
{

	__attribute__((__musttail__)) return (devfs_ops->fo_mmap(fp, map, addr,
	    size, prot, cap_maxprot & ~VM_PROT_EXECUTE, flags | MAP_NOCORE,
	    foff, td));
}

static int
node_file_close(struct file *fp, struct thread *td)
{

	atomic_subtract_int(&node_files, 1);
	__attribute__((__musttail__)) return (devfs_ops->fo_close(fp, td));
}

/* Once for each file: not inlined, as it needs more registers than an ioctl. */
static __noinline void
node_file_adopt(struct file *fp)
{
	const struct fileops *ops;
	struct fileops *fresh;

	ops = fp->f_ops;
	if (node_ops == NULL) {
		fresh = malloc(sizeof(*fresh), M_DEVBUF, M_WAITOK);
		memcpy(fresh, ops, sizeof(*fresh));
		fresh->fo_mmap = node_file_mmap;
		fresh->fo_close = node_file_close;
		/* That of devfs compares the tables. */
		fresh->fo_cmp = file_kcmp_generic;
		devfs_ops = ops;
		if (!atomic_cmpset_rel_ptr((volatile uintptr_t *)&node_ops, 0,
		    (uintptr_t)fresh))
			free(fresh, M_DEVBUF);
	}
	if (ops == devfs_ops && atomic_cmpset_ptr(
	    (volatile uintptr_t *)__DECONST(void *, &fp->f_ops),
	    (uintptr_t)ops, (uintptr_t)node_ops))
		atomic_add_int(&node_files, 1);
}

/*
 * The nodes are destroyed; their files reach this module only by this table.
 * While such files are open the copy stays allocated, some hundred bytes for
 * each forced unload with open files: when they are closed, devfs's own method
 * runs, and nothing reports it.  It cannot be part of the module, which is
 * unmapped then, and a copy that a later load looked up would belong to another
 * version.
 */
static void
node_files_uninit(void *arg __unused)
{

	if (node_files == 0) {
		free(node_ops, M_DEVBUF);
		return;
	}
	node_ops->fo_mmap = devfs_ops->fo_mmap;
	node_ops->fo_close = devfs_ops->fo_close;
	/* For threads that have just read it. */
	pause("drmnod", hz);
}
SYSUNINIT(drm_node, SI_SUB_DRIVERS, SI_ORDER_SECOND, node_files_uninit, NULL);

static int
node_ioctl(struct cdev *cdev, u_long cmd, caddr_t data, int flags __unused,
    struct thread *td)
{
	struct drm_os_caller caller;
	struct drm_open *opened;
	int error;

	error = devfs_get_cdevpriv((void **)&opened);
	if (error != 0)
		return (ENXIO);
	if (td->td_fpop->f_ops != node_ops)
		node_file_adopt(td->td_fpop);
	drm_caller_init(&caller, td, cdev->si_drv1);
	return (drm_call_ioctl(opened->ops, opened->priv, &caller, cmd, data));
}

static int
node_mmap(struct cdev *cdev __unused, vm_ooffset_t *offset, vm_size_t size,
    struct vm_object **object, int prot)
{
	struct drm_open *opened;
	int error;

	if ((prot & PROT_EXEC) != 0)
		return (EACCES);
	error = devfs_get_cdevpriv((void **)&opened);
	if (error != 0)
		return (ENXIO);
	error = drm_call_mmap(opened->ops, opened->priv, offset, size, object);
	/* After ENODEV the kernel would call d_mmap. */
	return (error == ENODEV ? EINVAL : error);
}

static int
node_poll(struct cdev *cdev __unused, int events, struct thread *td __unused)
{
	struct drm_open *opened;

	if (devfs_get_cdevpriv((void **)&opened) != 0)
		return (events & (POLLHUP | POLLIN | POLLRDNORM));
	if (opened->ops->poll != NULL && opened->ops->poll(opened->priv))
		return (events & (POLLIN | POLLRDNORM));
	return (0);
}

static void
note_detach(struct knote *kn)
{
	struct drm_os_minor *minor = kn->kn_hook;

	knlist_remove(&minor->notes, kn, 0);
}

static int
note_event(struct knote *kn __unused, long hint __unused)
{

	return (0);
}

/* A render node has no events, but epoll(7) emulations add knotes. */
static const struct filterops note_filterops = {
	.f_isfd = 1,
	.f_detach = note_detach,
	.f_event = note_event,
};

static int
node_kqfilter(struct cdev *cdev, struct knote *kn)
{
	struct drm_os_minor *minor = cdev->si_drv1;

	if (kn->kn_filter != EVFILT_READ && kn->kn_filter != EVFILT_WRITE)
		return (EINVAL);
	kn->kn_fop = &note_filterops;
	kn->kn_hook = minor;
	knlist_add(&minor->notes, kn, 0);
	return (0);
}

static int
node_make(struct drm_os_minor *minor, int index, int base, const char *alias)
{
	struct make_dev_args args;
	int error;

	make_dev_args_init(&args);
	args.mda_flags = MAKEDEV_CHECKNAME | MAKEDEV_WAITOK;
	args.mda_devsw = &node_cdevsw;
	args.mda_uid = UID_ROOT;
	args.mda_gid = GID_VIDEO;
	args.mda_mode = 0660;
	args.mda_si_drv1 = minor;
	error = make_dev_s(&args, &minor->cdev, "drm/%d", base + index);
	if (error != 0)
		return (error);
	error = make_dev_alias_p(MAKEDEV_CHECKNAME | MAKEDEV_WAITOK,
	    &minor->alias, minor->cdev, alias, base + index);
	if (error != 0)
		destroy_dev(minor->cdev);
	return (error);
}

int
drm_os_minor_register(struct drm_os_dev *dev, uint32_t type,
    drm_os_open_fn *open, void *arg, const struct drm_os_file_ops *ops,
    struct drm_os_minor **minorp)
{
	struct drm_os_minor *minor;
	const char *alias;
	int base, error, first, index, last;

	base = type == DRM_OS_MINOR_RENDER ? RENDER_BASE : 0;
	alias = type == DRM_OS_MINOR_RENDER ? "dri/renderD%d" : "dri/card%d";
	minor = malloc(sizeof(*minor), M_DRM, M_WAITOK | M_ZERO);
	minor->dev = dev;
	minor->open = open;
	minor->arg = arg;
	minor->ops = ops;
	mtx_init(&minor->lock, "drm minor", NULL, MTX_DEF);
	LIST_INIT(&minor->waiting);
	knlist_init_mtx(&minor->notes, NULL);
	/* The nodes of a device have the same index. */
	first = dev->index < 0 ? 0 : dev->index;
	last = dev->index < 0 ? CARDS - 1 : dev->index;
	error = ENOSPC;
	for (index = first; index <= last; index++) {
		error = node_make(minor, index, base, alias);
		if (error != EEXIST)
			break;
	}
	if (error != 0) {
		knlist_destroy(&minor->notes);
		mtx_destroy(&minor->lock);
		free(minor, M_DRM);
		return (error == EEXIST ? ENOSPC : error);
	}
	dev->index = index;
	drm_dev_hold(dev);
	*minorp = minor;
	return (0);
}

/* destroy_dev() revokes the files that are open. */
void
drm_os_minor_unregister(struct drm_os_minor *minor)
{

	destroy_dev(minor->alias);
	destroy_dev(minor->cdev);
	/* Knotes have pointers to the minor and to the filter. */
	knlist_delete(&minor->notes, curthread, 0);
	knlist_destroy(&minor->notes);
	mtx_destroy(&minor->lock);
	drm_dev_release(minor->dev);
	free(minor, M_DRM);
}
