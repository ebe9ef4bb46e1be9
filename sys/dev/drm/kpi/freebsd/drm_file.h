/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * A dma-buf or sync_file, for drm_file.c (creation, close) and drm_fileops.c
 * (methods).
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
	volatile u_int	 refs;		/* its content, a pending notify */
	struct mtx	 lock;		/* of the knote list */
	struct selinfo	 sel;
	/* Activates the knotes without locks of the thread that wakes. */
	struct task	 notify;
};

/* drm_file.c */
int	drm_file_close(struct file *fp, struct thread *td);

/* drm_fileops.c */
extern const struct fileops drm_fileops;

#endif /* _DRM_FILE_H_ */
