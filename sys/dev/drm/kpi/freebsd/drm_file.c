/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Files of our own, dma-bufs and sync_files: made, installed, closed, and taken
 * away when the module goes.
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
static bool disowned;			/* (files_lock) no more of them */
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
 * Files are closed on threads of the kernel that others wait for, such as that
 * of taskqueue_thread, which collects sockets in flight: nothing here waits for
 * a task.  No note is left when a file is closed, for each holds it; when the
 * module goes there may be some.
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
	if (disowned) {
		mtx_unlock(&files_lock);
		fdclose(caller->td, fp, fd);
		fdrop(fp, caller->td);
		return (ENXIO);
	}
	file->fp = fp;
	finit(fp, FREAD | ((flags & DRM_OS_FD_WRITE) != 0 ? FWRITE : 0),
	    DTYPE_DEV, file, &drm_fileops);
	mtx_unlock(&files_lock);
	/* Our reference to fp is dropped at the end of the call. */
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
	/* The content, which calls this, keeps the last reference. */
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
	/* Under the lock, for drm_files_disown() may have taken it just now. */
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
 * The module goes and users still have descriptors of ours: those become dead
 * files of the kernel's.  A file that is listed is not closed, for closing takes
 * it off the list first, so its struct file is there.  One that is made by a
 * call under way has none yet, and gets none.  Callers of methods read the
 * table's address once, so none finds a method of one table by a flag of the
 * other.
 */
void
drm_files_disown(void)
{
	struct drm_os_file *file;

	mtx_lock(&files_lock);
	LIST_FOREACH(file, &files, link) {
		/* A second try finds them without their struct file. */
		if (file->fp == NULL || disowned)
			continue;
		file->fp->f_ops = &badfileops;
		file->fp->f_data = NULL;
	}
	disowned = true;
	mtx_unlock(&files_lock);
}

/* What was behind them; no call is under way. */
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
