/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Files of our own: dma-bufs and sync_files.  Also what a system call on them
 * and on device nodes has in common.
 */
#include "drm_glue.h"

#include <sys/capsicum.h>
#include <sys/event.h>
#include <sys/fcntl.h>
#include <sys/file.h>
#include <sys/filedesc.h>
#include <sys/filio.h>
#include <sys/mman.h>
#include <sys/poll.h>
#include <sys/priv.h>
#include <sys/proc.h>
#include <sys/refcount.h>
#include <sys/selinfo.h>
#include <sys/stat.h>
#include <sys/taskqueue.h>
#include <sys/ucred.h>
#include <sys/unistd.h>
#include <sys/user.h>
#include <vm/vm.h>
#include <vm/vm_param.h>
#include <vm/pmap.h>
#include <vm/vm_extern.h>
#include <vm/vm_map.h>
#include <vm/vm_object.h>

struct drm_os_file {
	const struct drm_os_file_ops *ops;
	void		*priv;
	struct file	*fp;		/* (files_lock) NULL: not installed yet */
	uint64_t	 ino;
	LIST_ENTRY(drm_os_file) link;	/* (files_lock) */
	volatile u_int	 refs;		/* its content, and a pending notify */
	struct mtx	 lock;		/* of the note list */
	struct selinfo	 sel;
	/* Notes are told without any lock of those who wake. */
	struct task	 notify;
};

static LIST_HEAD(, drm_os_file) files = LIST_HEAD_INITIALIZER(files);
static bool disowned;			/* (files_lock) no more of them */
static struct mtx files_lock;
MTX_SYSINIT(drm_files, &files_lock, "drm files", MTX_DEF);

static const struct fileops drm_fileops;

void
drm_caller_init(struct drm_os_caller *caller, struct thread *td,
    struct drm_os_minor *minor)
{

	caller->td = td;
	caller->minor = minor;
	caller->waits_for = NULL;
	caller->new_file = NULL;
	caller->new_fd = -1;
}

/*
 * The argument is in kernel memory; sys_ioctl() copies it out if this is 0.
 */
int
drm_call_ioctl(const struct drm_os_file_ops *ops, void *priv,
    struct drm_os_caller *caller, u_long cmd, void *data)
{
	int error;

	if (cmd == FIONBIO || cmd == FIOASYNC)
		return (0);
	if (ops->ioctl == NULL)
		return (ENOTTY);
	error = ops->ioctl(priv, caller, IOCGROUP(cmd), cmd & 0xff,
	    (cmd & (IOC_IN | IOC_OUT)) == 0 ? NULL : data,
	    (cmd & (IOC_IN | IOC_OUT)) == 0 ? 0 : IOCPARM_LEN(cmd));
	if (caller->new_file != NULL) {
		if (error != 0)
			fdclose(caller->td, caller->new_file, caller->new_fd);
		fdrop(caller->new_file, caller->td);
	}
	return (error == DRM_OS_ETIME ? ETIMEDOUT : error);
}

int
drm_call_mmap(const struct drm_os_file_ops *ops, void *priv,
    vm_ooffset_t *offset, vm_size_t size, struct vm_object **objectp)
{
	struct drm_os_object *obj;
	uint64_t obj_offset;
	int error;

	if (ops->mmap == NULL)
		return (ENODEV);
	if (*offset < 0)
		return (EINVAL);
	error = ops->mmap(priv, *offset, size, &obj, &obj_offset);
	if (error != 0)
		return (error);
	if (drm_object_vm(obj) == NULL) {
		drm_os_object_unref(obj);
		return (EACCES);
	}
	/* The object's references are the VM object's. */
	*objectp = drm_object_vm(obj);
	*offset = obj_offset;
	return (0);
}

int
drm_os_copyin(struct drm_os_caller *caller __unused, uint64_t uaddr,
    void *kaddr, size_t len)
{

	return (copyin((const void *)(uintptr_t)uaddr, kaddr, len));
}

int
drm_os_copyout(struct drm_os_caller *caller __unused, const void *kaddr,
    uint64_t uaddr, size_t len)
{

	return (copyout(kaddr, (void *)(uintptr_t)uaddr, len));
}

int32_t
drm_os_caller_pid(struct drm_os_caller *caller)
{

	return (caller->td->td_proc->p_pid);
}

uint32_t
drm_os_caller_uid(struct drm_os_caller *caller)
{

	return (caller->td->td_ucred->cr_ruid);
}

void
drm_os_caller_comm(struct drm_os_caller *caller, char *buf, size_t len)
{

	strlcpy(buf, caller->td->td_proc->p_comm, len);
}

int
drm_os_caller_privileged(struct drm_os_caller *caller)
{

	return (priv_check(caller->td, PRIV_DRIVER) == 0);
}

int
drm_os_caller_interrupted(struct drm_os_caller *caller __unused)
{

	return (sig_intr());
}

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

static void
file_leave(void)
{

	atomic_subtract_int(&drm_os.calls, 1);
}

/*
 * What users do with a descriptor.  A call that has been entered keeps the
 * content; drm_unload.c waits for it.
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
		/* Recorded first, so that no wakeup is missed. */
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

static int
file_close(struct file *fp, struct thread *td __unused)
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
	file_leave();
	return (0);
}

/* The end tells the size; there is nowhere else to go but the beginning. */
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
	/* Nor are buffers for core dumps. */
	error = vm_mmap_object(map, addr, size, prot, maxprot,
	    flags | MAP_NOCORE, object, foff, FALSE, td);
	if (error != 0)
		vm_object_deallocate(object);
	return (error);
}

static const struct fileops drm_fileops = {
	.fo_read =	invfo_rdwr,
	.fo_write =	invfo_rdwr,
	.fo_truncate =	invfo_truncate,
	.fo_ioctl =	file_ioctl,
	.fo_poll =	file_poll,
	.fo_kqfilter =	file_kqfilter,
	.fo_stat =	file_stat,
	.fo_close =	file_close,
	.fo_chmod =	invfo_chmod,
	.fo_chown =	invfo_chown,
	.fo_sendfile =	invfo_sendfile,
	.fo_seek =	file_seek,
	.fo_fill_kinfo = file_fill_kinfo,
	.fo_mmap =	file_mmap,
	.fo_cmp =	file_kcmp_generic,
	.fo_flags =	DFLAG_PASSABLE | DFLAG_SEEKABLE,
};

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
