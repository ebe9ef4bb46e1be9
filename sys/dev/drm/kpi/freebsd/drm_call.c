/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The part of system calls that files of device nodes (drm_node.c) share with
 * dma-bufs and sync_files (drm_file.c).
 */
#include "drm_glue.h"

#include <sys/file.h>
#include <sys/filedesc.h>
#include <sys/filio.h>
#include <sys/priv.h>
#include <sys/proc.h>
#include <sys/ucred.h>
#include <vm/vm.h>

/*
 * The argument is in kernel memory; sys_ioctl() copies it out if this returns
 * 0.
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
	/* The references of the object are those of the VM object. */
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
