/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel of which freebsd.h's VM system is a part: its variables, a thread, a device. A call
 * that would panic a kernel, or corrupt memory later, aborts the process.
 */
#include "freebsd.h"
#include "fake_vm.h"

#undef	free

static struct proc proc = { 0, NULL };
static struct thread thread = { &proc, (struct ucred *)&proc, { NULL } };
struct thread *curthread = &thread;
/* A device may keep 512 of them. */
long physmem = 512 * 256;
u_long vm_user_wire_count;
u_long vm_page_max_user_wired = 2 * PAGES;
int hz = 1000;
struct malloc_type *M_DRM;
struct drm_os drm_os;

struct fake_counts fake_counts;

void
fake_die(const char *what)
{

	fprintf(stderr, "fake_vm: %s\n", what);
	abort();
}

static void
init(void)
{

	if (proc.p_vmspace != NULL)
		return;
	fake_pages_init();
	proc.p_vmspace = calloc(1, sizeof(struct vmspace));
	drm_objects_init();
}

struct drm_os_dev *
fake_dev(bool coherent, uint64_t high, uint64_t data_high)
{
	struct drm_os_dev *dev = calloc(1, sizeof(*dev));

	init();
	dev->coherent = coherent;
	dev->high = high;
	dev->data_high = data_high;
	dev->refs = 1;
	drm_page_cache_init(&dev->page_cache);
	return (dev);
}

void
fake_dev_free(struct drm_os_dev *dev)
{

	KASSERT(dev->refs == 1, "");
	drm_page_cache_destroy(&dev->page_cache);
	free(dev);
}

/* The system is short of memory. */
void
fake_lowmem(struct drm_os_dev *dev)
{

	drm_page_cache_trim(&dev->page_cache);
}

/* The device is detached. */
void
fake_detach(struct drm_os_dev *dev)
{

	drm_page_cache_close(&dev->page_cache);
}

uint64_t
fake_kept(struct drm_os_dev *dev)
{

	return (dev->page_cache.pages);
}

struct drm_os_caller *
fake_caller(void)
{
	static struct drm_os_caller caller;

	caller.td = curthread;
	return (&caller);
}

void
drm_dev_hold(struct drm_os_dev *dev)
{

	dev->refs++;
}

void
drm_dev_release(struct drm_os_dev *dev)
{

	dev->refs--;
}
