/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lets libdrm's code for FreeBSD run on Linux. This header is included before each file of libdrm
 * (cc -include); it enables the FreeBSD branches and replaces nodes and sysctls with those of a
 * table.
 */
#ifndef FAKE_H
#define	FAKE_H

/* Linux's own, which libdrm's drm.h defines otherwise on FreeBSD. */
#define	__s64	linux_s64
#define	__u64	linux_u64

#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#undef __s64
#undef __u64
#undef __linux__
#undef linux
#define	__FreeBSD__	15

#define	SPECNAMELEN	255

struct fake_node {
	const char	*path;		/* below /dev/dri */
	const char	*name;		/* what devname(3) calls the device */
	int		 minor;
};

struct fake_sysctl {
	const char	*oid;
	const char	*string;	/* NULL: the int */
	int		 number;
};

struct fake {
	const struct fake_node		*nodes;		/* ended by a NULL path */
	const struct fake_sysctl	*sysctls;	/* ended by a NULL oid */
};

/* The tables that count. */
extern const struct fake *fake;

/* A file of a node, never closed. */
int	 fake_fd(const char *path);

char	*fake_devname_r(dev_t dev, mode_t type, char *buf, int len);
int	 fake_sysctlbyname(const char *oid, void *old, size_t *oldlen,
	    const void *new, size_t newlen);
int	 fake_stat(const char *path, struct stat *st);
int	 fake_fstat(int fd, struct stat *st);
int	 fake_access(const char *path, int mode);
int	 fake_open(const char *path);
int	 fake_ioctl(int fd, unsigned long request, void *arg);
DIR	*fake_opendir(const char *path);
struct dirent *fake_readdir(DIR *dir);
int	 fake_closedir(DIR *dir);

#ifndef FAKE_ITSELF
#define	devname_r(dev, type, buf, len)	fake_devname_r(dev, type, buf, len)
#define	sysctlbyname(oid, old, oldlen, new, newlen)			\
	fake_sysctlbyname(oid, old, oldlen, new, newlen)
#define	stat(path, st)			fake_stat(path, st)
#define	fstat(fd, st)			fake_fstat(fd, st)
#define	access(path, mode)		fake_access(path, mode)
#define	open(path, ...)			fake_open(path)
#define	ioctl(fd, request, arg)		fake_ioctl(fd, request, arg)
#define	opendir(path)			fake_opendir(path)
#define	readdir(dir)			fake_readdir(dir)
#define	closedir(dir)			fake_closedir(dir)
#endif

#endif
