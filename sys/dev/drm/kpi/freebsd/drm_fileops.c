/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The methods of dma-bufs and sync_files.
 */
#include "drm_glue.h"

#include <sys/event.h>
#include <sys/fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/poll.h>
#include <sys/proc.h>
#include <sys/stat.h>
#include <sys/ucred.h>
#include <sys/unistd.h>
#include <sys/user.h>
#include <vm/vm.h>
#include <vm/vm_param.h>
#include <vm/pmap.h>
#include <vm/vm_extern.h>
#include <vm/vm_map.h>
#include <vm/vm_object.h>

#include "drm_file.h"

static void
file_leave(void)
{

	atomic_subtract_int(&drm_os.calls, 1);
}

/*
 * Enters a method.  The content is not released during it; drm_unload.c waits
 * for its end.
 */
static struct drm_os_file *
file_enter(struct file *fp)
{
	struct drm_os_file *file;

	atomic_add_int(&drm_os.calls, 1);
	file = fp->f_data;
	if (file == NULL)
		file_leave();
	return (file);
}

static int
file_ioctl(struct file *fp, u_long cmd, void *data,
    struct ucred *cred __unused, struct thread *td)
{
	struct drm_os_caller caller;
	struct drm_os_file *file;
	int error;

	if ((file = file_enter(fp)) == NULL)
		return (ENXIO);
	drm_caller_init(&caller, td, NULL);
	error = drm_call_ioctl(file->ops, file->priv, &caller, cmd, data);
	file_leave();
	return (error);
}

static int
file_poll(struct file *fp, int events, struct ucred *cred __unused,
    struct thread *td)
{
	struct drm_os_file *file;
	int revents;

	if ((file = file_enter(fp)) == NULL)
		return (POLLERR | POLLHUP);
	revents = 0;
	if (file->ops->poll != NULL) {
		/* Recorded first, so that no wakeup is lost. */
		selrecord(td, &file->sel);
		if (file->ops->poll(file->priv))
			revents = events & (POLLIN | POLLRDNORM |
			    POLLOUT | POLLWRNORM);
	}
	file_leave();
	return (revents);
}

static void
file_filter_detach(struct knote *kn)
{
	struct drm_os_file *file = kn->kn_hook;

	knlist_remove(&file->sel.si_note, kn, 0);
}

static int
file_filter(struct knote *kn, long hint __unused)
{
	struct drm_os_file *file = kn->kn_hook;

	return (file->ops->poll != NULL && file->ops->poll(file->priv));
}

static const struct filterops file_filterops = {
	.f_isfd = 1,
	.f_detach = file_filter_detach,
	.f_event = file_filter,
};

static int
file_kqfilter(struct file *fp, struct knote *kn)
{
	struct drm_os_file *file;

	if (kn->kn_filter != EVFILT_READ && kn->kn_filter != EVFILT_WRITE)
		return (EINVAL);
	if ((file = file_enter(fp)) == NULL)
		return (ENXIO);
	kn->kn_fop = &file_filterops;
	kn->kn_hook = file;
	knlist_add(&file->sel.si_note, kn, 0);
	file_leave();
	return (0);
}

static int
file_stat(struct file *fp, struct stat *sb, struct ucred *cred)
{
	struct drm_os_file *file;

	if ((file = file_enter(fp)) == NULL)
		return (ENXIO);
	memset(sb, 0, sizeof(*sb));
	sb->st_mode = S_IFREG | S_IRUSR | S_IWUSR;
	sb->st_nlink = 1;
	sb->st_ino = file->ino;
	sb->st_uid = cred->cr_uid;
	sb->st_gid = cred->cr_gid;
	sb->st_blksize = PAGE_SIZE;
	if (file->ops->size != NULL) {
		sb->st_size = file->ops->size(file->priv);
		sb->st_blocks = btodb(sb->st_size);
	}
	file_leave();
	return (0);
}

/* A seek to the end returns the size; the only other offset is the start. */
static int
file_seek(struct file *fp, off_t offset, int whence, struct thread *td)
{
	struct drm_os_file *file;
	int error;

	if ((file = file_enter(fp)) == NULL)
		return (ENXIO);
	error = 0;
	if (file->ops->size == NULL)
		error = ESPIPE;
	else if (offset != 0)
		error = EINVAL;
	else if (whence == L_XTND)
		td->td_uretoff.tdu_off = file->ops->size(file->priv);
	else if (whence == L_SET)
		td->td_uretoff.tdu_off = 0;
	else
		error = EINVAL;
	file_leave();
	return (error);
}

static int
file_fill_kinfo(struct file *fp __unused, struct kinfo_file *kif,
    struct filedesc *fdp __unused)
{

	kif->kf_type = KF_TYPE_DEV;
	return (0);
}

static int
file_mmap(struct file *fp, vm_map_t map, vm_offset_t *addr, vm_size_t size,
    vm_prot_t prot, vm_prot_t cap_maxprot, int flags, vm_ooffset_t foff,
    struct thread *td)
{
	struct drm_os_file *file;
	struct vm_object *object;
	vm_prot_t maxprot;
	int error;

	if ((flags & (MAP_PRIVATE | MAP_COPY)) != 0)
		return (EINVAL);
	maxprot = VM_PROT_READ;
	if ((fp->f_flag & FWRITE) != 0)
		maxprot |= VM_PROT_WRITE;
	maxprot &= cap_maxprot;
	if ((prot & ~maxprot) != 0)
		return (EACCES);
	if ((file = file_enter(fp)) == NULL)
		return (ENXIO);
	error = drm_call_mmap(file->ops, file->priv, &foff, size, &object);
	file_leave();
	if (error != 0)
		return (error);
	/* Buffers are not dumped. */
	error = vm_mmap_object(map, addr, size, prot, maxprot,
	    flags | MAP_NOCORE, object, foff, FALSE, td);
	if (error != 0)
		vm_object_deallocate(object);
	return (error);
}

const struct fileops drm_fileops = {
	.fo_read =	invfo_rdwr,
	.fo_write =	invfo_rdwr,
	.fo_truncate =	invfo_truncate,
	.fo_ioctl =	file_ioctl,
	.fo_poll =	file_poll,
	.fo_kqfilter =	file_kqfilter,
	.fo_stat =	file_stat,
	.fo_close =	drm_file_close,
	.fo_chmod =	invfo_chmod,
	.fo_chown =	invfo_chown,
	.fo_sendfile =	invfo_sendfile,
	.fo_seek =	file_seek,
	.fo_fill_kinfo = file_fill_kinfo,
	.fo_mmap =	file_mmap,
	.fo_cmp =	file_kcmp_generic,
	.fo_flags =	DFLAG_PASSABLE | DFLAG_SEEKABLE,
};
