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
	uint64_t	 used;		/* (lock) bytes */
	uint64_t	 reserved;	/* (lock) of them with the system */
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
int
drm_os_cred_charge(struct drm_os_cred *cred, uint64_t bytes)
{
	uint64_t more, want;
	int error;

	error = 0;
	mtx_lock(&cred->lock);
	want = roundup2(cred->used + bytes, STEP);
	more = want > cred->reserved ? want - cred->reserved : 0;
	if ((curproc->p_flag & P_KPROC) != 0)
		more = 0;
	if (more != 0 && !swap_reserve_by_cred(more, cred->cred))
		error = ENOMEM;
	else {
		cred->reserved += more;
		cred->used += bytes;
	}
	mtx_unlock(&cred->lock);
	return (error);
}

/* One step stays reserved for the next request. */
void
drm_os_cred_uncharge(struct drm_os_cred *cred, uint64_t bytes)
{
	uint64_t less, want;

	mtx_lock(&cred->lock);
	cred->used -= bytes;
	want = roundup2(cred->used, STEP) + STEP;
	less = cred->reserved > want ? cred->reserved - want : 0;
	if (less != 0) {
		swap_release_by_cred(less, cred->cred);
		cred->reserved -= less;
	}
	mtx_unlock(&cred->lock);
}
