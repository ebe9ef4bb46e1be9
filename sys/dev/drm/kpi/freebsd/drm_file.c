/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * dma-bufs and sync_files: creation, installation, close, and revocation when
 * the module is unloaded.
 */
#include "drm_glue.h"

#include <sys/capsicum.h>
#include <sys/event.h>
#include <sys/fcntl.h>
#include <sys/file.h>
#include <sys/filedesc.h>
#include <sys/proc.h>
#include <sys/refcount.h>

#include "drm_file.h"

static LIST_HEAD(, drm_os_file) files = LIST_HEAD_INITIALIZER(files);
static bool revoked;			/* (files_lock) unloading */
static struct mtx files_lock;
MTX_SYSINIT(drm_files, &files_lock, "drm files", MTX_DEF);

static void	file_notify(void *arg, int pending);

static void
file_lock(void *arg)
{

	mtx_lock((struct mtx *)arg);
}

static void
file_unlock(void *arg)
{

	mtx_unlock((struct mtx *)arg);
}

static void
file_assert(void *arg, int what)
{

	mtx_assert((struct mtx *)arg, what == LA_LOCKED ? MA_OWNED : MA_NOTOWNED);
}

int
drm_os_file_create(struct drm_os *os, const struct drm_os_file_ops *ops,
    void *priv, struct drm_os_file **filep)
{
	struct drm_os_file *file;

	file = malloc(sizeof(*file), M_DRM, M_WAITOK | M_ZERO);
	file->ops = ops;
	file->priv = priv;
	file->ino = drm_os_unique(os);
	mtx_init(&file->lock, "drm file notes", NULL, MTX_DEF);
	knlist_init(&file->sel.si_note, &file->lock, file_lock, file_unlock,
	    file_assert);
	TASK_INIT(&file->notify, 0, file_notify, file);
	refcount_init(&file->refs, 1);
	atomic_add_int(&drm_os.live, 1);
	mtx_lock(&files_lock);
	LIST_INSERT_HEAD(&files, file, link);
	mtx_unlock(&files_lock);
	*filep = file;
	return (0);
}

static void
file_unref(struct drm_os_file *file)
{

	if (!refcount_release(&file->refs))
		return;
	seldrain(&file->sel);
	knlist_destroy(&file->sel.si_note);
	mtx_destroy(&file->lock);
	free(file, M_DRM);
	atomic_subtract_int(&drm_os.live, 1);
}

/*
 * The kernel closes files on threads that others wait for, such as that of
 * taskqueue_thread, which collects sockets in flight: nothing here waits for a
 * task.  A closed file has no knotes, because each of them holds the file; a
 * file that is revoked at unload may have some.
 */
static void
file_release(struct drm_os_file *file)
{

	knlist_delete(&file->sel.si_note, curthread, 0);
	if (file->ops->release != NULL)
		file->ops->release(file->priv);
	file_unref(file);
}

int
drm_os_file_install(struct drm_os_caller *caller, struct drm_os_file *file,
    uint32_t flags, int32_t *fdp)
{
	struct file *fp;
	int error, fd;

	KASSERT(caller->new_file == NULL, ("drm: two files by one ioctl"));
	error = falloc(caller->td, &fp, &fd,
	    (flags & DRM_OS_FD_CLOEXEC) != 0 ? O_CLOEXEC : 0);
	if (error != 0)
		return (error);
	mtx_lock(&files_lock);
	if (revoked) {
		mtx_unlock(&files_lock);
		fdclose(caller->td, fp, fd);
		fdrop(fp, caller->td);
		return (ENXIO);
	}
	file->fp = fp;
	finit(fp, FREAD | ((flags & DRM_OS_FD_WRITE) != 0 ? FWRITE : 0),
	    DTYPE_DEV, file, &drm_fileops);
	mtx_unlock(&files_lock);
	/* The reference to fp is dropped at the end of the ioctl. */
	caller->new_file = fp;
	caller->new_fd = fd;
	*fdp = fd;
	return (0);
}

void
drm_os_file_discard(struct drm_os_file *file)
{

	mtx_lock(&files_lock);
	LIST_REMOVE(file, link);
	mtx_unlock(&files_lock);
	file_release(file);
}

void
drm_os_file_wake(struct drm_os_file *file)
{

	selwakeup(&file->sel);
	if (KNLIST_EMPTY(&file->sel.si_note))
		return;
	refcount_acquire(&file->refs);
	/* Not the last reference: the content, which calls this, has one. */
	if (taskqueue_enqueue_flags(drm_os.notes, &file->notify,
	    TASKQUEUE_FAIL_IF_PENDING) != 0)
		(void)refcount_release(&file->refs);
}

static void
file_notify(void *arg, int pending __unused)
{
	struct drm_os_file *file = arg;

	KNOTE_UNLOCKED(&file->sel.si_note, 0);
	file_unref(file);
}

int
drm_os_file_get(struct drm_os_caller *caller, int32_t fd,
    const struct drm_os_file_ops *ops, void **privp,
    struct drm_os_file **filep)
{
	struct drm_os_file *file;
	struct file *fp;
	int error;

	error = fget(caller->td, fd, &cap_no_rights, &fp);
	if (error != 0)
		return (error);
	file = fp->f_ops == &drm_fileops ? fp->f_data : NULL;
	if (file == NULL || file->ops != ops) {
		fdrop(fp, caller->td);
		return (EINVAL);
	}
	*privp = file->priv;
	*filep = file;
	return (0);
}

void
drm_os_file_put(struct drm_os_file *file)
{

	fdrop(file->fp, curthread);
}

int
drm_file_close(struct file *fp, struct thread *td __unused)
{
	struct drm_os_file *file;

	atomic_add_int(&drm_os.calls, 1);
	fp->f_ops = &badfileops;
	/* Under the lock: drm_files_revoke() may run at the same time. */
	mtx_lock(&files_lock);
	file = fp->f_data;
	fp->f_data = NULL;
	if (file != NULL)
		LIST_REMOVE(file, link);
	mtx_unlock(&files_lock);
	if (file != NULL)
		file_release(file);
	atomic_subtract_int(&drm_os.calls, 1);
	return (0);
}


/*
 * Revokes the descriptors that users still have when the module is unloaded:
 * they become dead files (badfileops).  A listed file has its struct file,
 * because a close removes it from the list first; one that is being made by a
 * call has none yet, and gets none.  Callers of methods read the address of
 * the table once, so that none uses a flag of one table with a method of the
 * other.
 */
void
drm_files_revoke(void)
{
	struct drm_os_file *file;

	mtx_lock(&files_lock);
	LIST_FOREACH(file, &files, link) {
		/* Files that an earlier attempt has revoked. */
		if (file->fp == NULL || revoked)
			continue;
		file->fp->f_ops = &badfileops;
		file->fp->f_data = NULL;
	}
	revoked = true;
	mtx_unlock(&files_lock);
}

/* Releases their contents; no call is in progress. */
void
drm_files_release(void)
{
	struct drm_os_file *file;

	for (;;) {
		mtx_lock(&files_lock);
		file = LIST_FIRST(&files);
		if (file != NULL)
			LIST_REMOVE(file, link);
		mtx_unlock(&files_lock);
		if (file == NULL)
			break;
		file_release(file);
	}
}
