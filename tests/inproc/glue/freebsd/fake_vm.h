/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VM system of the tests: fake_kernel.c, fake_page.c, fake_object.c, fake_user.c. What tests
 * call, and what these files share.
 */
#include "drm_glue.h"

#define	FAKE_USER_BASE	0x10000000ul
#define	FAKE_USER_LOW	0
#define	FAKE_USER_HIGH	1
#define	FAKE_USER_DEVICE	2
#define	FAKE_USER_UNCACHED	3

struct fake_counts {
	uint64_t pages, objects, charged, reclaims, waits;
	/* The allocation that fails, from 1; 0 for none. */
	uint64_t fail;
	/* The same of insertions of runs into VM objects. */
	uint64_t fail_insert;
	/* Requests for pages. */
	uint64_t requests;
};
extern struct fake_counts fake_counts;

struct drm_os_dev *fake_dev(bool coherent, uint64_t high, uint64_t data_high);
void	fake_dev_free(struct drm_os_dev *dev);
struct drm_os_caller *fake_caller(void);
/* Sets a function that is called for each maintained line: (arg, address, bytes, invalidated). */
void	fake_on_cache(void (*fn)(void *, uint64_t, uint64_t, int), void *arg);
void	fake_lowmem(struct drm_os_dev *dev);
void	fake_detach(struct drm_os_dev *dev);
uint64_t fake_kept(struct drm_os_dev *dev);
void	*fake_memory(uint64_t pa);
void	fake_speculate(void);
void	fake_user_page(u_int index, int kind);
void	fake_user_free(void);
int	fake_touch(struct drm_os_object *obj, uint64_t pindex, int copied);
void	fake_wire(void *vm, uint64_t pindex, int wire);
void	*fake_vm_of(struct drm_os_object *obj);
int	fake_page(void *vm, uint64_t pindex);
void	fake_unref(void *vm);

/*
 * Two ranges of physical memory, one below and one above 4 GiB.  Their pages
 * are neighbours in the array, and the end of the lower one is not aligned.
 */
#define	PAGES	2048
#define	LOW_PA	0x40001000ul
#define	HIGH_PA	0x100000000ul

void	fake_pages_init(void);
bool	fake_page_dirty(vm_page_t m);
