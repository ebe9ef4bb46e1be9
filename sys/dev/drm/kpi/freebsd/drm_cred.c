/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Charges for kernel memory that is allocated for a user's requests: like
 * objects, it is charged as anonymous memory, so that RLIMIT_SWAP and
 * racct(4)'s swapuse, of the user and of the jail, apply to it.  Each request
 * makes a small charge, so memory is reserved in steps.
 */
#include "drm_glue.h"

#include <sys/proc.h>
#include <sys/ucred.h>
#include <vm/vm.h>
#include <vm/vm_extern.h>

#define	STEP		((uint64_t)64 * 1024)

struct drm_os_cred {
	struct mtx	 lock;
	struct ucred	*cred;
	volatile uint64_t used;		/* bytes */
	volatile uint64_t reserved;	/* (lock) to write; with the system */
};

int
drm_os_cred_hold(struct drm_os_caller *caller, struct drm_os_cred **credp)
{
	struct drm_os_cred *cred;

	cred = malloc(sizeof(*cred), M_DRM, M_WAITOK | M_ZERO);
	mtx_init(&cred->lock, "drm cred", NULL, MTX_DEF);
	cred->cred = crhold(caller->td->td_ucred);
	*credp = cred;
	return (0);
}

void
drm_os_cred_free(struct drm_os_cred *cred)
{

	KASSERT(cred->used == 0, ("drm: %ju bytes are still charged",
	    (uintmax_t)cred->used));
	if (cred->reserved != 0)
		swap_release_by_cred(cred->reserved, cred->cred);
	crfree(cred->cred);
	mtx_destroy(&cred->lock);
	free(cred, M_DRM);
}

/*
 * The system charges the calling process.  A kernel process belongs to no user
 * and is not charged; the next request of the user reserves its share as well.
 */
static int
reserve(struct drm_os_cred *cred)
{
	uint64_t more, want;
	int error;

	error = 0;
	mtx_lock(&cred->lock);
	want = roundup2(cred->used, STEP);
	more = want > cred->reserved ? want - cred->reserved : 0;
	if ((curproc->p_flag & P_KPROC) != 0)
		more = 0;
	if (more != 0 && !swap_reserve_by_cred(more, cred->cred))
		error = ENOMEM;
	else
		cred->reserved += more;
	mtx_unlock(&cred->lock);
	return (error);
}

/* Mostly enough is reserved. */
int
drm_os_cred_charge(struct drm_os_cred *cred, uint64_t bytes)
{
	int error;

	/*
	 * Before the read of reserved: either this sees what release() has
	 * taken off, or release() sees this charge.
	 */
	(void)atomic_fetchadd_64(&cred->used, bytes);
	atomic_thread_fence_seq_cst();
	if (cred->used <= cred->reserved)
		return (0);
	/*
	 * A request that is refused counts until then: others of the same
	 * file that need a reservation meanwhile may be refused as well.
	 */
	error = reserve(cred);
	/* What others gave back meanwhile, they did not release. */
	if (error != 0)
		drm_os_cred_uncharge(cred, bytes);
	return (error);
}

static void
release(struct drm_os_cred *cred)
{
	uint64_t before, want;

	mtx_lock(&cred->lock);
	before = cred->reserved;
	want = roundup2(cred->used, STEP) + STEP;
	if (before > want) {
		cred->reserved = want;
		atomic_thread_fence_seq_cst();
		/* A charge that was made meanwhile may rely on it. */
		if (cred->used > want)
			cred->reserved = before;
		else
			swap_release_by_cred(before - want, cred->cred);
	}
	mtx_unlock(&cred->lock);
}

/*
 * One step stays reserved for the next request; more until the next release,
 * if a request reserves or releases at the same time.
 */
void
drm_os_cred_uncharge(struct drm_os_cred *cred, uint64_t bytes)
{
	uint64_t used;

	used = atomic_fetchadd_64(&cred->used, -bytes) - bytes;
	if (cred->reserved > roundup2(used, STEP) + STEP)
		release(cred);
}
