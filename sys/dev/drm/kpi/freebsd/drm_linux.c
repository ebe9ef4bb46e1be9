/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Linux programs (linux64.ko).  The Linux emulation passes on ioctls of DRM
 * nodes by itself; for those of dma-bufs and sync_files it needs handlers,
 * which are registered while it is loaded.  The module does not depend on it.
 */
#include "drm_glue.h"

#include <sys/eventhandler.h>
#include <sys/ioccom.h>
#include <sys/linker.h>
#include <sys/module.h>
#include <sys/proc.h>
#include <sys/sysproto.h>

/* As in compat/linux/linux_ioctl.h, which other modules cannot include. */
struct linux_ioctl_args;
struct linux_ioctl_handler {
	int	(*func)(struct thread *, struct linux_ioctl_args *);
	int	low, high;
};
typedef int handler_fn(struct linux_ioctl_handler *);

static linker_file_t linux_file;
static eventhandler_tag load_tag, unload_tag;
static bool	registered;			/* the tags are */

/*
 * Linux swaps the direction bits.  The layout of the arguments is that of
 * ioctl(2).
 */
static int
ioctl_natively(struct thread *td, struct linux_ioctl_args *args)
{
	static const u_long direction[4] = {
		IOC_VOID, IOC_IN, IOC_OUT, IOC_INOUT
	};
	struct ioctl_args *native = (struct ioctl_args *)args;
	uint32_t cmd = native->com;

	native->com = (cmd & ~IOC_DIRMASK) | direction[cmd >> 30];
	return (sys_ioctl(td, native));
}

/* The Linux emulation identifies a handler by its function. */
static int
ioctl_dma_buf(struct thread *td, struct linux_ioctl_args *args)
{

	return (ioctl_natively(td, args));
}

static int
ioctl_sync_file(struct thread *td, struct linux_ioctl_args *args)
{

	return (ioctl_natively(td, args));
}

static struct linux_ioctl_handler handlers[] = {
	{ ioctl_dma_buf, 'b' << 8, ('b' << 8) | 0xff },
	{ ioctl_sync_file, '>' << 8, ('>' << 8) | 0xff },
};

static void
call_with_handlers(const char *name)
{
	handler_fn *fn;
	int i;

	fn = (handler_fn *)linker_file_lookup_symbol(linux_file, name, 0);
	for (i = 0; fn != NULL && i < nitems(handlers); i++)
		(void)fn(&handlers[i]);
}

static void
file_loaded(void *arg __unused, linker_file_t file)
{

	if (linux_file != NULL ||
	    linker_file_lookup_symbol(file, "linux_ioctl_register_handler",
	    0) == NULL)
		return;
	linux_file = file;
	call_with_handlers("linux_ioctl_register_handler");
}

static void
file_unloads(void *arg __unused, linker_file_t file, int *error __unused)
{

	if (file != linux_file)
		return;
	call_with_handlers("linux_ioctl_unregister_handler");
	linux_file = NULL;
}

void
drm_linux_init(void)
{
	module_t mod;

	MOD_SLOCK;
	mod = module_lookupbyname("linux64elf");
	MOD_SUNLOCK;
	if (mod != NULL)
		file_loaded(NULL, module_file(mod));
	load_tag = EVENTHANDLER_REGISTER(kld_load, file_loaded, NULL,
	    EVENTHANDLER_PRI_ANY);
	unload_tag = EVENTHANDLER_REGISTER(kld_unload_try, file_unloads, NULL,
	    EVENTHANDLER_PRI_ANY);
	registered = true;
}

/* Also waits for ioctls that the Linux emulation is passing on. */
void
drm_linux_uninit(void)
{

	if (!registered)
		return;
	registered = false;
	EVENTHANDLER_DEREGISTER(kld_load, load_tag);
	EVENTHANDLER_DEREGISTER(kld_unload_try, unload_tag);
	if (linux_file != NULL)
		file_unloads(NULL, linux_file, NULL);
}
