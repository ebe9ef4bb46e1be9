/* SPDX-License-Identifier: BSD-2-Clause */
#define	FAKE_ITSELF
#include "fake.h"
#include <sys/pciio.h>

#define	DIRECTORY	"/dev/dri"
#define	MAJOR		0
#define	PCI_FD		1000
#define	FIRST_FD	2000

const struct fake *fake;

static size_t cursor;
static struct dirent entry;

static const struct fake_node *
by_path(const char *path)
{
	const struct fake_node *node;

	for (node = fake->nodes; node->path != NULL; node++) {
		if (strncmp(path, DIRECTORY "/", sizeof(DIRECTORY)) == 0 &&
		    strcmp(path + sizeof(DIRECTORY), node->path) == 0)
			return (node);
	}
	errno = ENOENT;
	return (NULL);
}

static int
describe(const struct fake_node *node, struct stat *st)
{
	if (node == NULL)
		return (-1);
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFCHR | 0660;
	st->st_rdev = makedev(MAJOR, node->minor);
	return (0);
}

int
fake_fd(const char *path)
{
	const struct fake_node *node = by_path(path);

	return (node == NULL ? -1 : FIRST_FD + (int)(node - fake->nodes));
}

char *
fake_devname_r(dev_t dev, mode_t type, char *buf, int len)
{
	const struct fake_node *node;

	for (node = fake->nodes; node->path != NULL; node++) {
		if (type == S_IFCHR && dev == makedev(MAJOR, node->minor)) {
			snprintf(buf, len, "%s", node->name);
			return (buf);
		}
	}
	return (NULL);
}

int
fake_sysctlbyname(const char *oid, void *old, size_t *oldlen, const void *new,
    size_t newlen)
{
	const struct fake_sysctl *s;
	const void *value;
	size_t len;

	(void)newlen;
	for (s = fake->sysctls; s->oid != NULL; s++) {
		if (strcmp(s->oid, oid) != 0)
			continue;
		value = s->string != NULL ? (const void *)s->string : &s->number;
		len = s->string != NULL ? strlen(s->string) + 1 :
		    sizeof(s->number);
		if (new != NULL || len > *oldlen) {
			errno = new != NULL ? EPERM : ENOMEM;
			return (-1);
		}
		memcpy(old, value, len);
		*oldlen = len;
		return (0);
	}
	errno = ENOENT;
	return (-1);
}

int
fake_stat(const char *path, struct stat *st)
{
	return (describe(by_path(path), st));
}

int
fake_fstat(int fd, struct stat *st)
{
	return (describe(&fake->nodes[fd - FIRST_FD], st));
}

int
fake_access(const char *path, int mode)
{
	(void)mode;
	return (by_path(path) == NULL ? -1 : 0);
}

int
fake_open(const char *path)
{
	return (strcmp(path, "/dev/pci") == 0 ? PCI_FD : fake_fd(path));
}

/* pci(4) with one GPU in every place; nodes answer nothing. */
int
fake_ioctl(int fd, unsigned long request, void *arg)
{
	struct pci_conf_io *io = arg;

	if (fd != PCI_FD || request != PCIOCGETCONF) {
		errno = ENOTTY;
		return (-1);
	}
	memset(io->matches, 0, sizeof(*io->matches));
	io->matches->pc_sel = io->patterns->pc_sel;
	io->matches->pc_vendor = 0x1002;
	io->matches->pc_device = 0x67df;
	io->num_matches = 1;
	io->status = 0;
	return (0);
}

DIR *
fake_opendir(const char *path)
{
	if (strcmp(path, DIRECTORY) != 0) {
		errno = ENOENT;
		return (NULL);
	}
	cursor = 0;
	return ((DIR *)&cursor);
}

struct dirent *
fake_readdir(DIR *dir)
{
	(void)dir;
	if (fake->nodes[cursor].path == NULL)
		return (NULL);
	snprintf(entry.d_name, sizeof(entry.d_name), "%s",
	    fake->nodes[cursor++].path);
	return (&entry);
}

int
fake_closedir(DIR *dir)
{
	(void)dir;
	return (0);
}
