/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A long life of one client: jobs in tenths, each waited for, with a mark in drmboard's mailbox
 * before and after each tenth, and after it a line with what the kernel has allocated. Whether that
 * grows is for mk/xtask (src/console/freebsd/million.rs) to judge.
 */

#include "drm.h"
#include "vmctl.h"

#define TENTHS	10
/* A mark before a tenth and one after it, plus its number, which begins with 1. */
#define MARK_BEGIN	2000
#define MARK_END	2100
/* Longer than memory that a job held may wait for the driver's reaper. */
#define SETTLED_MS	50

/*
 * Returns the number of the driver's blocks that are freed within SETTLED_MS, and stores what is
 * allocated after that. The driver has no counter of its deferred frees: these blocks are what they
 * have left, and mem_peak is the most that clients were ever charged for, which includes them.
 */
static int64_t
settle(struct usage_sum *sum)
{
	int64_t before;

	usage_sum(sum);
	before = sum->drm_blocks;
	sleep_ms(SETTLED_MS);
	usage_sum(sum);
	return (before > sum->drm_blocks ? before - sum->drm_blocks : 0);
}

void
million(int fd, const struct native_driver *driver, uint64_t count)
{
	struct usage *second = NULL;
	struct usage_sum sum;
	int64_t deferred;
	uint64_t tenth, n, i;

	for (tenth = 1; tenth <= TENTHS; tenth++) {
		n = count * tenth / TENTHS - count * (tenth - 1) / TENTHS;
		mail(MAIL_MARK, (uint32_t)(MARK_BEGIN + tenth));
		for (i = 0; i < n; i++)
			driver->small(fd);
		mail(MAIL_MARK, (uint32_t)(MARK_END + tenth));
		deferred = settle(&sum);
		say("million: tenth %u: %u submits, drm %d blocks %d bytes, malloc %d bytes, "
		    "uma %d bytes, wired %d pages, deferred %d blocks, mem_peak %u bytes\n",
		    tenth, n, sum.drm_blocks, sum.drm_bytes, sum.malloc_bytes, sum.uma_bytes,
		    sum.wired_pages, deferred, statistic(driver, "mem_peak"));
		if (tenth == 2)
			second = usage_now();
	}
	/* For a reader, if the sums have grown. */
	usage_growth(second, usage_now());
}
