/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * A file of our own, for drm_file.c, which makes and ends it, and
 * drm_fileops.c, which has its methods.
 */
#ifndef _DRM_FILE_H_
#define	_DRM_FILE_H_

#include <sys/selinfo.h>
#include <sys/taskqueue.h>

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

/* drm_file.c */
int	drm_file_close(struct file *fp, struct thread *td);

/* drm_fileops.c */
extern const struct fileops drm_fileops;

#endif /* _DRM_FILE_H_ */
